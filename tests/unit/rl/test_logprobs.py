"""Chunked log-probabilities and entropy equal the plain computation, gradients included, and hold no full logits."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workflow_scripts.rl.logprobs import default_chunk, token_log_probs_and_entropy

READS = {"both": (1, 1), "log-probabilities": (1, 0), "entropy": (0, 1)}


def plain(hidden, weight, targets, temperature=1.0):
    distribution = torch.log_softmax(hidden @ weight.T / temperature, dim=-1)
    log_probs = distribution.gather(-1, targets[..., None]).squeeze(-1)
    return log_probs, -(distribution.exp() * distribution).sum(dim=-1)


def problem(tokens=(2, 7), width=5, vocabulary=11, dtype=torch.float64):
    """(hidden, weight, targets) of random numbers."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(*tokens, width, generator=generator, dtype=torch.float64).to(dtype)
    weight = torch.randn(vocabulary, width, generator=generator, dtype=torch.float64).to(dtype)
    return hidden, weight, torch.randint(0, vocabulary, tokens, generator=generator)


def results(compute, hidden, weight, targets, reads="both"):
    """(log_probs, entropy, gradient of hidden, gradient of weight) of a loss that weighs each token differently."""
    hidden, weight = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
    outputs = compute(hidden, weight, targets)
    factors = torch.randn(2, *targets.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    used = [(value * f).sum() for value, f, read in zip(outputs, factors, READS[reads], strict=True) if read]
    sum(used).backward()
    return outputs[0].detach(), outputs[1].detach(), hidden.grad, weight.grad


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("chunk", [None, 1, 3, 7, 14, 100])
def test_equals_the_plain_computation(chunk, temperature, reads):
    """Whatever the chunk, and whether a loss reads one of the results or both."""
    inputs = problem()
    ours = results(
        lambda *args: token_log_probs_and_entropy(*args, temperature=temperature, chunk=chunk), *inputs, reads=reads
    )
    theirs = results(lambda *args: plain(*args, temperature), *inputs, reads=reads)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-12)


def test_gradients_pass_the_numerical_check():
    hidden, weight, targets = problem(tokens=(4,), width=3, vocabulary=5)
    inputs = hidden.requires_grad_(), weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda h, w: token_log_probs_and_entropy(h, w, targets, chunk=3), inputs)


@pytest.mark.parametrize("reads", READS)
def test_tied_head_adds_both_gradients(reads):
    """With a tied embedding the weight gets gradient from the head and from the embedding."""
    table = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens = torch.tensor([[0, 3, 5]])
    gradients = []
    for compute in (plain, lambda *args: token_log_probs_and_entropy(*args, chunk=2)):
        weight = table.clone().requires_grad_()
        outputs = compute(torch.nn.functional.embedding(tokens, weight), weight, tokens)
        sum(value.sum() * read for value, read in zip(outputs, READS[reads], strict=True)).backward()
        gradients.append(weight.grad)
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_a_frozen_head_or_frozen_states_get_no_gradient():
    """Only what is trained costs a matrix product."""
    for frozen in (0, 1):
        inputs = [value.requires_grad_(index != frozen) for index, value in enumerate(problem()[:2])]
        token_log_probs_and_entropy(*inputs, problem()[2], chunk=3)[0].sum().backward()
        assert inputs[frozen].grad is None and inputs[1 - frozen].grad.abs().sum() > 0


def test_an_empty_batch_gives_empty_results_and_a_zero_gradient():
    """A rank without tokens takes part in the backward pass like the others."""
    hidden, weight, targets = problem(tokens=(0,))
    log_probs, entropy, grad_hidden, grad_weight = results(token_log_probs_and_entropy, hidden, weight, targets)
    assert log_probs.shape == entropy.shape == (0,) and grad_hidden.shape == (0, 5)
    assert grad_weight.shape == weight.shape and not grad_weight.any()


# ------------------------------------------------------------------------------------------ padded vocabulary
@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_absent_ids_are_as_if_their_rows_were_not_there(temperature, reads):
    """Scattered absent ids: results and gradients equal those of the head without these rows."""
    hidden, weight, targets = problem(tokens=(9,))
    vocabulary = torch.ones(11, dtype=torch.bool)
    vocabulary[[1, 9, 10]] = False
    targets = torch.nonzero(vocabulary).flatten()[targets % 8]
    place = torch.cumsum(vocabulary, 0) - 1
    options = {"temperature": temperature, "chunk": 4, "vocabulary": vocabulary}
    ours = results(lambda *args: token_log_probs_and_entropy(*args, **options), hidden, weight, targets, reads=reads)
    theirs = results(lambda *args: plain(*args, temperature), hidden, weight[vocabulary], place[targets], reads=reads)
    for mine, reference in zip((*ours[:3], ours[3][vocabulary]), theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-12)
    assert not ours[3][~vocabulary].any()


def test_an_absent_target_is_impossible_and_leaves_the_gradients_finite():
    hidden, weight, targets = problem(tokens=(3,))
    vocabulary = torch.ones(11, dtype=torch.bool)
    vocabulary[targets[1]] = False
    log_probs, entropy, *gradients = results(
        lambda *args: token_log_probs_and_entropy(*args, vocabulary=vocabulary), hidden, weight, targets
    )
    assert log_probs[1] == -torch.inf and log_probs[[0, 2]].isfinite().all() and entropy.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients) and not gradients[1][targets[1]].any()


# ---------------------------------------------------------------------------------------------- precision
@pytest.mark.parametrize("dtypes", [("bfloat16", "bfloat16"), ("bfloat16", "float32"), ("float16", "bfloat16")])
@pytest.mark.parametrize("autocast", [False, True])
def test_low_precision_inputs_are_computed_in_single_precision(dtypes, autocast):
    """Logits rounded to bf16 would be off by 1e-2 here; gradients have the inputs' dtypes and miss by one rounding."""
    hidden, weight, targets = problem(tokens=(33,), width=64, vocabulary=50)
    hidden, weight = hidden.to(getattr(torch, dtypes[0])), weight.to(getattr(torch, dtypes[1]))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        ours = results(lambda *args: token_log_probs_and_entropy(*args, chunk=8), hidden, weight, targets)
    theirs = results(plain, hidden.double(), weight.double(), targets)
    assert ours[0].dtype == ours[1].dtype == torch.float32
    assert (ours[2].dtype, ours[3].dtype) == (hidden.dtype, weight.dtype)
    for mine, reference in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(mine.double(), reference, rtol=1e-5, atol=1e-5)
    for mine, reference in zip(ours[2:], theirs[2:], strict=True):
        torch.testing.assert_close(mine.double(), reference, rtol=2**-8, atol=1e-5)


# ------------------------------------------------------------------------------------------------- memory
class Sizes(TorchDispatchMode):
    """Elements of the largest tensor that any operation inside returned, views by what they view."""

    def __init__(self):
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in torch.utils._pytree.tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self.largest = max(self.largest, value.numel(), value.untyped_storage().nbytes() // value.itemsize)
        return result


def largest(compute, *inputs):
    with Sizes() as sizes:
        results(compute, *inputs)
    return sizes.largest


@pytest.mark.parametrize(("tokens", "width", "vocabulary"), [(600, 4, 500), (512, 64, 128), (60, 40, 3000)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_tensor_is_larger_than_a_chunk_of_logits_the_head_or_the_states(tokens, width, vocabulary, dtype):
    """In both passes; the cases have each of the three bounds on top. The plain computation shows that it is seen."""
    inputs, chunk = problem((tokens,), width, vocabulary, dtype), 13
    bound = max(chunk * vocabulary, vocabulary * width, tokens * width)
    assert bound < tokens * vocabulary
    options = {"chunk": chunk, "temperature": 0.9, "vocabulary": torch.arange(vocabulary) < vocabulary - 3}
    assert largest(lambda *args: token_log_probs_and_entropy(*args, **options), *inputs) <= bound
    assert largest(plain, *inputs) >= tokens * vocabulary


def test_the_default_chunk_bounds_the_bytes_of_a_chunk():
    """The larger the vocabulary the fewer tokens at a time; no fewer than a matrix product needs."""
    assert [default_chunk(size, "cpu") for size in (400, 2048, 32_000, 152_064)] == [320, 128, 128, 128]
    assert [default_chunk(size, "cuda") for size in (32_000, 152_064)] == [2048, 384]
