"""Sampling answers for an evaluation: ours as the stage `sample_answers` does it, against lm-eval's `generate_until`.

Both sides have the same model object in fp32 on one thread, the same questions in the same chat template, as many
samples per question and the same lengths, and turn messages into text. lm-eval's `hf` model (HFLM) is asked for all
rows in one batch, its best; several samples per question are repeated requests, as its `repeats` are.

"fixed": every response of ours has exactly as many tokens, by `replay.py`, which costs us nothing. Hugging Face's loop
runs all rows of a batch until the last one ends: none is forced to, and it is checked that the loop went to the limit.
"greedy": responses end where the model ends them; greedy decoding makes them the same on both sides (the note counts
how many are, to the letter). The nano policy was trained for this, briefly, so that its responses end as real ones do.
Sampling has no top-k on either side; HFLM would have 50 by default.
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.suite.cpu import Clocked, ratio
from tests.benchmarks.suite.materials import NANO, Material, questions, smollm2
from tests.benchmarks.suite.measure import Row, alternate, empty_row
from tests.benchmarks.suite.replay import ReplayEngine, prepare

GROUP, OURS, OTHER = "evaluation sampling", "in process", "lm-eval, HFLM"


def rows(quick: bool) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    nano = _nano_policy(200 if quick else 2000)
    few = {"repetitions": 2 if quick else 7}
    yield _row(nano, "greedy", 32 if quick else 256, samples=1, max_tokens=32, **few)
    yield _row(nano, "fixed", 8 if quick else 64, samples=8, max_tokens=32, **few)
    if not quick:
        large = smollm2("policy_direct")
        yield _row(large, "greedy", 16, samples=1, max_tokens=32, repetitions=3)
        yield _row(large, "fixed", 8, samples=4, max_tokens=32, repetitions=3)
    yield empty_row(GROUP, _name("SmolLM2-135M", "fixed", 64, 16, 512), OURS, OTHER)


def _name(model: str, how: str, asked: int, samples: int, max_tokens: int) -> str:
    return f"{model}, {how}: {asked} questions, {samples} x {'at most ' * (how == 'greedy')}{max_tokens} tokens"


def _row(material: Material, how: str, asked: int, samples: int, max_tokens: int, repetitions: int) -> Row:
    settings = {"samples": samples, "max_tokens": max_tokens, "temperature": 0.0 if how == "greedy" else 1.0}
    rows, found = _questions(asked), {"ours": [], "other": []}
    if how == "fixed":
        prepare(material.model, material.tokenizer)
    sides = [Clocked(make(material, rows, settings, found[name])) for name, make in SIDES.items()]
    values = alternate(*sides, repetitions)
    lengths = found["ours"][-1]["length"]
    note = f"{ratio(*(side.seconds for side in sides), repetitions)}; {sum(lengths)} tokens a repetition"
    if how == "fixed":
        assert set(lengths) == {max_tokens}, "a response has ended"
    else:
        pairs = list(zip(found["ours"][-1]["response"], found["other"][-1], strict=True))
        note += f", {sum(a == b for a, b in pairs)} of {len(pairs)} responses equal"
    name = _name(material.name, how, asked, samples, max_tokens)
    return Row(GROUP, name, OURS, OTHER, "s", *values, "cpu", note=note, limit=LIMITS[material.name])


LIMITS = {
    "nano policy": "attention of one query a row (a third of the time) and products of width 64 (a quarter)",
    "SmolLM2-135M": "matrix products of few rows, which read all weights for every token",
}


# ------------------------------------------------------------------------------------------------------ the two sides
def _ours(material: Material, rows: list[dict], settings: dict, found: list) -> Callable[[], None]:
    """The stage's own loop: prompts from questions, engine, columns of the table of answers."""
    from workflow_scripts.generation import EngineSettings, make_engine
    from workflow_scripts.stages.sample_answers import _sample

    engine = make_engine(EngineSettings(), material.model, material.tokenizer)
    if settings["temperature"]:
        engine = ReplayEngine(engine, [settings["max_tokens"]] * len(rows) * settings["samples"])
    config = {"template": material.template, "seed": 0}
    stage = SimpleNamespace(config=config, progress=lambda *_: None)

    def run() -> None:
        found.append(_sample(stage, engine, material.tokenizer, "bench", settings, rows))

    return run


def _harness(material: Material, rows: list[dict], settings: dict, found: list) -> Callable[[], None]:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from workflow_scripts.data.prompts import render

    count = len(rows) * settings["samples"]
    model = HFLM(pretrained=material.model, tokenizer=material.tokenizer, batch_size=count, max_length=_room(material))
    drawn = {"do_sample": True, "temperature": settings["temperature"], "top_k": 0, "top_p": 1.0}
    asked = drawn if settings["temperature"] else {"do_sample": False}
    steps = _counted(model)
    options = {"until": [], "max_gen_toks": settings["max_tokens"], **asked}

    def run() -> None:
        texts = [render(material.template, question=row["prompt"]) for row in rows for _ in range(settings["samples"])]
        contexts = [model.apply_chat_template([{"role": "user", "content": text}]) for text in texts]
        requests = [Instance("generate_until", {}, (context, options), 0) for context in contexts]
        found.append(model.generate_until(requests, disable_tqdm=True))
        assert not settings["temperature"] or steps[-1] == settings["max_tokens"], "the loop ended early"

    return run


def _counted(model: Any) -> list[int]:
    """Tokens per row that the latest calls of the harness's generation made."""
    steps, generate = [], model._model_generate

    def counting(context: Any, **options: Any) -> Any:
        made = generate(context, **options)
        steps.append(made.shape[1] - context.shape[1])
        return made

    model._model_generate = counting
    return steps


SIDES = {"ours": _ours, "other": _harness}


def _room(material: Material) -> int:
    return min(2048, material.model.config.max_position_embeddings)


# ------------------------------------------------------------------------------------------------ model and questions
def _nano_policy(steps: int) -> Material:
    """The base policy of config/nano.yaml, trained for fewer steps."""
    from workflow_scripts.data.nano_world import demonstration_table, read_settings
    from workflow_scripts.models.scratch import train

    table = demonstration_table(20_000, "demonstrations", None, read_settings(None), 0)
    training = {"steps": steps, "batch": 32, "lr": 3e-3, "warmup": 0.03, "weight_decay": 0.01}
    source = {"architecture": NANO, "objective": "demonstrations", "template": "policy_nano", "training": training}
    model, tokenizer, _ = train(table, source, seed=0)
    return Material("nano policy", model.eval(), tokenizer, "policy_nano")


def _questions(count: int) -> list[dict[str, Any]]:
    columns = questions(count)
    ids, subjects, prompts = (columns[name] for name in ("question_id", "subject", "prompt"))
    each = zip(ids, subjects, prompts, strict=True)
    return [{"question_id": one, "subject": subject, "prompt": prompt, "level": 0} for one, subject, prompt in each]
