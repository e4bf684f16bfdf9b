"""The page: sections rendered by a template that escapes everything, and the same tables and figures as files."""

import json
from base64 import b64encode
from functools import partial
from hashlib import sha256
from itertools import groupby
from math import isfinite
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.analysis.claims import FAILS, HOLDS, UNDECIDED, VERDICTS
from workflow_scripts.analysis.report import (
    claims_section,
    evaluation,
    examples,
    headline,
    judge_section,
    law_section,
    mechanism_section,
    origins,
    published_section,
    study_section,
    training,
)
from workflow_scripts.analysis.report.blocks import DASH, Claims, Figure, Section, Table, as_csv, shown, visible
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.svg import DARK_CSS, LIGHT_CSS, legend_key, plot_css, standalone

TEMPLATES = Path(__file__).parents[1] / "templates"
SCRIPTS = ("sources.js", "plots.js", "claims.js", "explorer.js")
BADGES = {HOLDS: "good", FAILS: "bad", UNDECIDED: "open"}


def make_sections(data: ReportData) -> list[Section]:
    """All sections that this run has data for, in reading order."""
    makers = (
        headline.section,
        training.section,
        law_section.section,
        mechanism_section.section,
        evaluation.section,
        partial(published_section.section, placed=study_section.names(data)),
        judge_section.section,
        examples.section,
        origins.data_section,
        origins.run_section,
    )
    found = [claims_section.section(data), *study_section.sections(data), *(make(data) for make in makers)]
    return [section for section in found if section and section.blocks]


def render(data: ReportData, sections: list[Section]) -> str:
    """The self-contained HTML page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # model output is untrusted text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    paths = sorted({path for section in sections for block in section.blocks for path in _sources(block)})
    environment.filters |= {"shown": shown, "visible": visible, "verdict": _verdict, "safe_name": headline.file_name}
    environment.filters |= {"embedded": embedded, "ranges": partial(ranges, index={p: n for n, p in enumerate(paths)})}
    environment.globals |= {"badge": lambda text: BADGES.get(text, "none"), "numeric": _is_numeric, "dash": DASH}
    environment.globals |= {"verdicts": VERDICTS, "summed": summed}
    # The only markup that is not escaped is made by our own SVG and MathML code, which escapes every label.
    environment.globals |= {"markup": Markup, "key": lambda style: Markup(legend_key(style))}
    css = (TEMPLATES / "page.css").read_text()
    css = css.replace("/*light*/", LIGHT_CSS).replace("/*dark*/", DARK_CSS) + plot_css()
    script = "\n".join((TEMPLATES / name).read_text() for name in SCRIPTS)
    facts = {"arms": len(data.arms), "settings": len(data.settings), "seeds": ", ".join(map(str, data.seeds))}
    return environment.get_template("page.html").render(
        title=data.config.get("title") or "Entropy Bridge",
        css=Markup(css),
        script=Markup(script),
        script_digest=b64encode(sha256(script.encode()).digest()).decode(),  # no other script may run
        groups=[(name, list(found)) for name, found in groupby(sections, key=lambda section: section.group)],
        facts=facts,
        paths=paths,
    )


def embedded(value: object) -> Markup:
    """Data as JSON inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def _sources(block: object) -> list[str]:
    own = getattr(block, "source", [])
    return [*own, *(path for claim in getattr(block, "claims", []) for path in claim.source)]


def ranges(source: list[str], index: dict[str, int]) -> str:
    """Places of the artifacts in the page's list, as "0-3 7"."""
    numbers = sorted({index[path] for path in source})
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def summed(source: list[str]) -> str:
    """A few artifacts by their paths, many by their folders."""
    unique = list(dict.fromkeys(source))
    if len(unique) <= 3:
        return ", ".join(unique)
    folders = [path.partition("/")[0] for path in sorted(unique)]
    return ", ".join(f"{len(list(found))} of {name}/" for name, found in groupby(folders))


def _is_numeric(kind: str) -> bool:
    return kind not in ("text", "code", "verdict")


def _verdict(value: object) -> str:
    """A grader's verdict on an example: yes, no, a number, or a dash where it did not grade."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) and isfinite(value) else DASH


def files(sections: list[Section]) -> dict[str, str]:
    """Path -> text of every table as CSV and every panel as SVG."""
    found = {}
    for block in (block for section in sections for block in section.blocks):
        tables = [block] if isinstance(block, Table) else []
        if isinstance(block, Claims):
            tables.append(block.table)
        elif isinstance(block, Figure):
            tables += block.values
            draw = partial(standalone, styles=block.legend)
            found |= {f"figures/{headline.file_name(name)}.svg": draw(svg) for name, _, svg in block.panels}
        found |= {f"tables/{headline.file_name(table.name)}.csv": as_csv(table) for table in tables}
    return dict(sorted(found.items()))
