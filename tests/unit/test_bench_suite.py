"""The benchmark suite's arithmetic, table, page and runner; what it measures is never asserted."""

import subprocess
import sys
from dataclasses import asdict
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch

from tests.benchmarks.suite import __main__ as runner
from tests.benchmarks.suite import page, table
from tests.benchmarks.suite.flops import (
    Shape,
    decode_seconds,
    forward_flops,
    generation_seconds,
    peak_share,
    responses_flops,
    step_flops,
)
from tests.benchmarks.suite.measure import NO_GPU, Row, alternate, empty_row, gemm_peak
from tests.benchmarks.suite.profile import Profile
from tests.benchmarks.suite.replay import EXPLORED, REASONED, draw_lengths
from tests.project import ROOT

SMOLLM2 = Shape(layers=30, width=576, heads=9, kv_heads=3, head_size=64, mlp=1536, vocabulary=49_152)
HALF_BILLION = Shape(layers=24, width=896, heads=14, kv_heads=2, head_size=64, mlp=4864, vocabulary=151_936)
H100 = {"bandwidth": 3.0e12, "peak": 798e12}  # measured once, reference study, section 6.2


def row(**changes) -> Row:
    values = {"ours_values": [1.0, 2.0, 4.0], "other_values": [3.0, 4.0, 4.0], "target": 1.8} | changes
    return Row("group", "<case>", "ours", "theirs", "s", device="cpu, 1 thread", **values)


# ------------------------------------------------------------------------------------------- measuring
def test_ratios_belong_to_repetitions_and_the_median_decides_whether_the_target_is_met():
    found = row()
    assert found.ratios == [3.0, 2.0, 1.0]
    assert (found.median, found.low, found.high) == (2.0, 1.0, 3.0)
    assert found.met is True
    assert row(target=2.1).met is False
    assert row(target=None).met is None


def test_a_share_of_the_peak_can_be_a_target_beside_the_ratio():
    assert row(peak_target=0.4, peak_share=0.5).met is True
    assert row(peak_target=0.4, peak_share=0.3).met is False
    assert row(peak_target=0.4).met is None


def test_values_that_make_no_ratio_are_refused():
    with pytest.raises(ValueError, match="<case>: 1 values of ours, 3 of theirs"):
        row(ours_values=[1.0])
    with pytest.raises(ValueError, match="<case>: a measured value is not positive"):
        row(ours_values=[1.0, 0.0, 1.0])


def test_a_row_that_needs_a_gpu_stays_empty_and_says_so():
    found = empty_row("group", "case", "ours", "theirs", target=2.0)
    assert (found.median, found.low, found.high, found.met, found.note) == (None, None, None, None, NO_GPU)


def test_the_two_sides_take_turns_and_warm_up_does_not_count():
    calls = []

    def side(name: str, value: float):
        def call() -> float:
            calls.append(name)
            return value + len(calls)

        return call

    ours, theirs = alternate(side("a", 10.0), side("b", 20.0), 3, warm_up=2)
    assert "".join(calls) == "ab" * 5
    assert ours == [15.0, 17.0, 19.0]
    assert theirs == [26.0, 28.0, 30.0]


def test_a_side_that_returns_nothing_is_timed():
    ours, theirs = alternate(lambda: None, lambda: 7.0, 2)
    assert min(ours) > 0 and theirs == [7.0, 7.0]


def test_the_peak_of_this_machine_is_a_plausible_number_of_operations():
    assert 1e8 < gemm_peak() < 1e14


# ------------------------------------------------------------------------------------------ arithmetic
def test_shapes_have_the_weights_of_the_models():
    """SmolLM2-135M has 134,515,008 parameters: these matrices, its norms, and one matrix for embedding and head."""
    assert SMOLLM2.body + SMOLLM2.head + (2 * 30 + 1) * 576 == 134_515_008
    assert round(HALF_BILLION.body / 1e6) == 358 and round(HALF_BILLION.head / 1e6) == 136
    assert (SMOLLM2.kv_bytes(), HALF_BILLION.kv_bytes()) == (23_040, 12_288)


def test_a_shape_is_read_from_a_config_without_a_head_size_of_its_own():
    config = SimpleNamespace(num_hidden_layers=2, hidden_size=64, num_attention_heads=4, num_key_value_heads=4)
    config.intermediate_size, config.vocab_size = 256, 512
    assert Shape.of(config) == Shape(2, 64, 4, 4, 16, 256, 512)


def test_flops_of_a_forward_pass_are_those_that_torch_counts():
    """All tokens in one sequence; its attention does what is masked as well."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        num_hidden_layers=2,
        hidden_size=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        vocab_size=100,
        attn_implementation="eager",  # torch does not count the CPU's fused attention
    )
    model = Qwen2ForCausalLM(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.zeros(1, 10, dtype=torch.long), use_cache=False)
    shape = Shape.of(config)
    assert counter.get_total_flops() == forward_flops(shape, tokens=10, pairs=10 * 10, predicted=10)


def test_a_prompt_counts_once_for_its_group_and_a_last_token_is_never_read():
    shape = Shape(1, 4, 1, 1, 4, 4, 7)
    found = responses_flops(shape, prompts=[3], samples=2, lengths=[1, 3])
    pairs = (1 + 2 + 3) + (4 + 5)  # the prompt once; two tokens of the second response after it
    assert found == forward_flops(shape, tokens=3 + 0 + 2, pairs=pairs, predicted=4)
    assert step_flops(shape, [3], 2, [1, 3], old_pass=False) == 4 * found
    assert step_flops(shape, [3], 2, [1, 3], old_pass=True) == 5 * found
    with pytest.raises(ValueError, match="2 responses are not 3 to each of 1 prompts"):
        responses_flops(shape, [3], 3, [1, 3])


def test_the_share_of_the_peak():
    assert peak_share(flops=4e9, seconds=2.0, peak=8e9) == 0.25


@pytest.mark.parametrize(
    ("shape", "rows", "context", "milliseconds"),
    [  # the table of the reference study, section 6.2 (rounded): a context of prompt + half of the response
        (SMOLLM2, 512, 128 + 128, 1.31),
        (SMOLLM2, 1024, 256 + 512, 6.69),
        (HALF_BILLION, 512, 128 + 128, 1.55),
        (HALF_BILLION, 1024, 256 + 512, 5.30),
    ],
)
def test_the_decode_roofline_is_that_of_the_reference_study(shape, rows, context, milliseconds):
    assert 1000 * decode_seconds(shape, rows, context, **H100) == pytest.approx(milliseconds, rel=0.02)


def test_the_roofline_of_a_generation_adds_up_the_steps_of_the_rows_that_still_run():
    found = generation_seconds(SMOLLM2, [10, 20], 1, [1, 3], **H100)
    prefill = forward_flops(SMOLLM2, tokens=30, pairs=55 + 210, predicted=0) / H100["peak"]
    steps = [(2, 15), (1, 16), (1, 17)]
    assert found == pytest.approx(prefill + sum(decode_seconds(SMOLLM2, *step, **H100) for step in steps))


def test_lengths_of_a_trace_have_its_quantiles_and_are_the_same_every_time():
    for quantiles in (EXPLORED, REASONED):
        lengths = draw_lengths(quantiles, 257)
        assert lengths == draw_lengths(quantiles, 257) and lengths != sorted(lengths)
        ordered = sorted(lengths)
        assert (ordered[0], ordered[-1]) == (max(1, quantiles[0][1]), quantiles[-1][1])
        assert ordered[128] == dict(quantiles)[0.5]
    assert max(draw_lengths(REASONED, 16, scale=8.0)) == 256


def test_a_profile_says_what_kinds_of_work_time_goes_to():
    operators = [("aten::mm", 3, 0.4), ("aten::_fused_adamw_", 1, 0.1), ("aten::mul", 9, 0.2)]
    found = Profile([*operators, ("aten::_scaled_dot_product_flash_attention_for_cpu", 2, 0.1)], seconds=1.0)
    assert found.line() == (
        "profile: matrix products 40%, other operators 20%, Python 20%, attention 10%, optimiser 10%"
    )


# ------------------------------------------------------------------------------------------- replaying
def test_both_sides_sample_the_lengths_of_the_trace():
    from transformers import LogitsProcessorList

    from tests.benchmarks.suite.replay import END, ForcedEnds, ReplayEngine, prepare
    from tests.rl_nano import nano_policy
    from workflow_scripts.generation import EngineSettings, make_engine

    model, tokenizer = nano_policy()
    prepare(model, tokenizer)
    lengths, prompts = [1, 5, 3, 8, 2, 2], [[5, 6, 7], [8, 9, 10]]
    engine = ReplayEngine(make_engine(EngineSettings(), model, tokenizer), lengths)
    found = engine.generate(prompts, samples=3, max_tokens=8, temperature=1.0, seed=0)
    assert found.lengths.tolist() == lengths and not found.truncated.any()
    assert len(set(found.tokens[found.mask].tolist())) > 5  # sampled, not made up
    inputs = torch.tensor([prompt for prompt in prompts for _ in range(3)])
    processors = LogitsProcessorList([ForcedEnds(lengths, "cpu")])
    for _ in range(2):  # the same one serves every generation
        torch.manual_seed(0)
        theirs = model.generate(
            input_ids=inputs,
            attention_mask=torch.ones_like(inputs),
            do_sample=True,
            top_k=0,
            max_new_tokens=8,
            logits_processor=processors,
        )
        ends = theirs[:, inputs.shape[1] :].eq(END).int().argmax(dim=1) + 1
        assert ends.tolist() == lengths


def test_a_response_of_another_length_is_an_error():
    from tests.benchmarks.suite.replay import check_lengths

    with pytest.raises(ValueError, match="1 of 2 responses do not have the length of the trace"):
        check_lengths([3, 4], [3, 5])


# -------------------------------------------------------------------------------------- table and page
def records(quick: bool = False) -> list[dict]:
    shared = table.circumstances(quick)
    empty = empty_row("group", "needs a GPU", "ours", "theirs", target=2.0)
    return [table.record(found, "try", shared) for found in (row(), empty)]


def test_every_run_is_kept_and_the_page_shows_the_newest(tmp_path):
    table.append(tmp_path, records())
    later = [table.record(row(ours_values=[1.0], other_values=[9.0]), "try", table.circumstances(False))]
    rows = table.append(tmp_path, later)
    kept = pq.read_table(tmp_path / table.TABLE).to_pylist()
    assert [found["median"] for found in kept] == [2.0, None, 9.0]
    assert kept[0]["ratios"] == [3.0, 2.0, 1.0] and kept[1]["met"] is None and kept[0]["met"] is True
    assert [found["median"] for found in table.newest(rows)] == [9.0, None]
    assert table.newest(rows)[0]["commit"] and "torch" in table.newest(rows)[0]["versions"]


def test_the_page_escapes_names_loads_nothing_and_counts_the_targets():
    html = page.render(records(quick=True), {"try": "What it is.\n\nHow <it> is done."})
    assert "&lt;case&gt;" in html and "<case>" not in html and "How &lt;it&gt;" in html
    assert "1 of 2 targets met, 1 not measured" in html and NO_GPU in html and "quick" in html
    assert not any(part in html for part in ("<script", "src=", "http://", "https://", "@import"))


# ---------------------------------------------------------------------------------------------- runner
def test_a_case_that_fails_is_one_line_and_the_others_still_run(tmp_path, monkeypatch, capsys):
    def run(module: str, quick: bool):
        yield row()
        if module == "bad":
            raise RuntimeError("ValueError: no such thing")

    monkeypatch.setattr(runner, "case_names", lambda: ["bad", "good"])
    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(runner, "write_page", lambda folder, rows: None)
    monkeypatch.setattr(sys, "argv", ["suite", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="bench: failed: bad"):
        runner.main()
    shown = capsys.readouterr()
    assert shown.err == "  bad failed: ValueError: no such thing\n"
    assert shown.out.count("2.00 x (1.00 to 3.00), target met (1.8 x wanted)") == 2
    assert pq.read_metadata(tmp_path / table.TABLE).num_rows == 2


def test_rows_cross_the_border_between_processes_whole():
    import json

    found = row(peak_share=0.25, limit="products", note="µ")
    assert Row(**json.loads(json.dumps(asdict(found)))) == found


def test_an_unknown_case_is_refused_in_one_line():
    asked = [sys.executable, "-m", "tests.benchmarks.suite", "--only", "nonsense"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "invalid choice: 'nonsense'" in done.stderr.splitlines()[-1]


def test_every_case_says_what_it_compares_and_how_fairness_is_kept():
    import ast

    for name in runner.case_names():
        doc = ast.get_docstring(ast.parse((runner.CASES / f"{name}.py").read_text()))
        assert doc and len(doc.split("\n\n")) > 1, name
