"""Weights that are read and written tensor by tensor make the model that is read and written whole."""

import json

import pytest
import torch

from tests.rl_nano import nano_policy
from workflow_scripts.models import weights
from workflow_scripts.models.loading import empty_copy, empty_model, load_model, save_model, save_weights
from workflow_scripts.models.weights import Weights


@pytest.fixture(params=[False, True], ids=["untied", "tied"])
def saved(request, tmp_path):
    """(folder, model, tokenizer)"""
    model, tokenizer = nano_policy(tied=request.param)
    save_model(model, tokenizer, tmp_path / "whole")
    return tmp_path / "whole", model, tokenizer


def same(one, two):
    ours, theirs = one.state_dict(), two.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)
    tokens = torch.tensor([[5, 6, 7]])
    assert torch.equal(one(tokens).logits, two(tokens).logits)  # the rotary frequencies are no weights


@pytest.mark.parametrize("size", [1, 20_000, 1 << 30])
def test_a_written_directory_is_the_model(saved, size, monkeypatch):
    """In one file, in several, in one per tensor; the transformers library reads them all."""
    folder, model, tokenizer = saved
    monkeypatch.setattr(weights, "FILE_BYTES", size)
    parts = folder.with_name("parts")
    save_weights(iter(model.named_parameters()), model, tokenizer, parts, "float32")
    same(load_model(parts), model)
    assert (parts / "model.safetensors").exists() == (size == 1 << 30)
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        assert (parts / name).read_bytes() == (folder / name).read_bytes(), name


def test_one_buffer_may_carry_all_tensors(saved):
    """What a gathering iterator hands out is valid until the next one only."""
    folder, model, tokenizer = saved

    def reused():
        buffer = torch.empty(max(parameter.numel() for parameter in model.parameters()))
        for name, parameter in model.named_parameters():
            held = buffer[: parameter.numel()].view_as(parameter)
            yield name, held.copy_(parameter.detach())

    save_weights(reused(), model, tokenizer, folder.with_name("parts"), "float32")
    same(load_model(folder.with_name("parts")), model)


def test_a_rank_that_does_not_write_draws_all_of_them(saved, tmp_path):
    _, model, tokenizer = saved
    drawn = iter(list(model.named_parameters()))
    save_weights(drawn, model, tokenizer, tmp_path / "nothing", "float32", write=False)
    assert next(drawn, None) is None and not (tmp_path / "nothing").exists()


def test_an_empty_model_that_is_filled_is_the_one_that_is_loaded(saved):
    folder, model, _ = saved
    for empty in (empty_model(folder), empty_copy(model)):
        with Weights(folder) as tensors:
            for name, parameter in empty.named_parameters():
                parameter.data.copy_(tensors[name])
        same(empty, load_model(folder))
        assert empty.generation_config.to_dict() == model.generation_config.to_dict()


def test_rotary_frequencies_are_single_precision_in_any_model(saved):
    folder, model, _ = saved
    for empty in (empty_model(folder, "bfloat16"), empty_copy(model, "bfloat16")):
        assert {parameter.dtype for parameter in empty.parameters()} == {torch.bfloat16}
        found, expected = dict(empty.named_buffers()), dict(model.named_buffers())
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_does_not_fit_is_named(saved):
    folder, model, _ = saved
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    with Weights(folder) as tensors:
        tensors.require(shapes)
        with pytest.raises(ValueError, match="no safetensors file holds model.layers.9.bias"):
            tensors.require({"model.layers.9.bias": torch.Size([1])})
        with pytest.raises(ValueError, match=r"model.norm.weight has the shape \[32\], config.json asks for \[33\]"):
            tensors.require({"model.norm.weight": torch.Size([33])})
    (folder / "model.safetensors").write_bytes(b"x" * 99)
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        Weights(folder)
    with pytest.raises(ValueError, match="config.json is missing"):
        empty_model(folder.parent)


def test_the_index_tells_where_a_tensor_is(saved, monkeypatch):
    folder, model, tokenizer = saved
    monkeypatch.setattr(weights, "FILE_BYTES", 1)
    save_weights(iter(model.named_parameters()), model, tokenizer, folder.with_name("parts"), "float32")
    index = json.loads((folder.with_name("parts") / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == dict(model.named_parameters()).keys()
    assert index["metadata"]["total_size"] == sum(parameter.nbytes for parameter in model.parameters())
