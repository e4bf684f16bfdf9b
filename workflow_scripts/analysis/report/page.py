"""The page: sections rendered by a template that escapes everything, and the same tables and figures as files."""

from functools import partial
from math import isfinite
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.analysis.claims import FAILS, HOLDS, UNDECIDED
from workflow_scripts.analysis.report import (
    evaluation,
    examples,
    headline,
    judge_section,
    law_section,
    origins,
    training,
)
from workflow_scripts.analysis.report.blocks import DASH, Figure, Section, Table, as_csv, shown, visible
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.svg import DARK_CSS, LIGHT_CSS, legend_key, plot_css, standalone

TEMPLATES = Path(__file__).parents[1] / "templates"
BADGES = {HOLDS: "good", FAILS: "bad", UNDECIDED: "open"}


def make_sections(data: ReportData) -> list[Section]:
    """All sections that this run has data for, in reading order."""
    makers = (
        headline.section,
        training.section,
        law_section.section,
        evaluation.section,
        judge_section.section,
        examples.section,
        origins.data_section,
        origins.run_section,
    )
    found = [make(data) for make in makers]
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
    environment.filters |= {"shown": shown, "visible": visible, "verdict": _verdict, "safe_name": headline.file_name}
    environment.globals |= {"badge": lambda text: BADGES.get(text, "none"), "numeric": _is_numeric, "dash": DASH}
    # The only markup that is not escaped is made by our own SVG code, which escapes every label.
    environment.globals |= {"svg": Markup, "key": lambda style: Markup(legend_key(style))}
    css = (TEMPLATES / "page.css").read_text()
    css = css.replace("/*light*/", LIGHT_CSS).replace("/*dark*/", DARK_CSS) + plot_css()
    facts = {
        "arms": len(data.arms),
        "settings": len(data.settings),
        "seeds": ", ".join(map(str, data.seeds)),
        "studies": data.config.get("studies") or {},
    }
    title = data.config.get("title") or "Entropy Bridge"
    page = environment.get_template("page.html")
    return page.render(title=title, css=Markup(css), sections=sections, facts=facts)


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
        if isinstance(block, Table):
            found[f"tables/{headline.file_name(block.name)}.csv"] = as_csv(block)
        elif isinstance(block, Figure):
            draw = partial(standalone, styles=block.legend)
            found |= {f"figures/{headline.file_name(name)}.svg": draw(svg) for name, _, svg in block.panels}
    return dict(sorted(found.items()))
