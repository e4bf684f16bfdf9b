"""A report as large as that of config/nano_claims.yaml, with hostile answers, from synthetic curves."""

from copy import deepcopy
from pathlib import Path
from unittest.mock import patch

import numpy as np
import yaml

from tests.unit.analysis import synthetic
from tests.unit.analysis.synthetic import World, run_all
from workflow_scripts.artifacts.keys import digest
from workflow_scripts.artifacts.schemas import ANSWERS, GRADES
from workflow_scripts.config.claims import claims_at

ROOT = Path(__file__).parents[2]
CLAIMS = 35
DATA = tuple(f"questions.train{n}" for n in range(9))  # 9 sets x 4 settings x 3 seeds: 108 arms in 9 studies
SEEDS = tuple(range(3))
STEPS, EVERY = 400, 5
MARK = "window.broken = true"  # what none of the answers may bring to pass
HOSTILE = (
    f"</script><script>{MARK}</script>",
    f"<img src=x onerror='{MARK}'><svg onload='{MARK}'>",
    f"--><!-- ]]> {{{{ {MARK} }}}} \\u003c/script\\u003e",
    f'<a href="javascript:{MARK}">link</a> &lt;b&gt; &amp;amp; \' " `',
    "x" * 20_000,
    "a b " * 6_000,
    "שלום עולם 12 + 3 = \u202e51\u202c مرحبا",
    "👩‍👩‍👧‍👦🏳️‍🌈" * 30 + "e\u0301\u0323" * 40 + "\U0001f9ff",
    "\x00\x01\x07\x08\x1b[31m\x7f\x85\u2028\u2029\u200b\ufeff",
    "",
    '=HYPERLINK("http://example.org")\n\n\n\t\tend',
)


class Large(World):
    """108 arms in nine studies, as long as those of the nano scale, whose answers are hostile."""

    def __init__(self, root: Path):
        super().__init__(root, seeds=SEEDS)
        wanted = [(data, arm) for data in DATA for arm in self.arms]
        self.arms = []
        for number, (data, arm) in enumerate(wanted):
            study = f"study_{DATA.index(data)}"
            if number < len(wanted) // len(DATA):  # the arms of the small world, under a study of its own
                self.arms.append(arm | {"studies": [study]})
                continue
            self.arms.append(self._arm(data, arm["reward"], arm["entropy"], arm["seed"], study))
            self._train(self.arms[-1])

    def _evaluate(self, role: str, seed: int, chance: dict[str, float]) -> None:
        rng = np.random.default_rng(int(digest(role)[:8], 16))
        answers, grades = synthetic.graded(synthetic.questions(seed), chance, rng)
        count = len(answers["response"])
        answers["response"] = [HOSTILE[n % len(HOSTILE)] for n in range(count)]
        answers["truncated"] = [n % 29 == 0 for n in range(count)]
        self.publish(f"answers:{role}", "evaluations", {"world.parquet": (answers, ANSWERS)})
        self.publish(f"grades:{role}", "evaluations", {"world.parquet": (grades, GRADES)})


def claims() -> list[dict]:
    """Those of the project, and again under other names until there are enough."""
    own = claims_at("nano", yaml.safe_load((ROOT / "config" / "claims.yaml").read_text()))["claims"]
    found = []
    for number in range(max(CLAIMS, len(own))):
        claim = deepcopy(own[number % len(own)])
        claim["id"] += f"_{number // len(own)}" if number >= len(own) else ""
        found.append(claim)
    return found


def render(root: Path) -> Path:
    """Write the report below `root` and return its folder."""
    with patch.multiple(synthetic, STEPS=STEPS, EVERY=EVERY):
        return run_all(Large(root), claims()).out
