"""Where numbers came from: artifacts and keys, row counts, run times, settings."""

import json

from workflow_scripts.analysis.report.blocks import Column, Section, Table, Text
from workflow_scripts.analysis.report.costs import by_stage, by_study
from workflow_scripts.analysis.report.data import ReportData, split_name


def data_section(data: ReportData) -> Section:
    """Rows made, dropped and kept, from the manifests."""
    intro = "What went in and what came out, as the manifests of the artifacts count it."
    blocks = [sources_table(data), splits_table(data), counts_table(data), files_table(data)]
    return Section("data", "Data", intro, [block for block in blocks if block])


def sources_table(data: ReportData) -> Table | None:
    """Where each data set is from, at which revision, under which licence."""
    cells = [
        [name, *_place(dataset["source"]), dataset["licence"] or "not stated"]
        for name, dataset in data.config.get("datasets", {}).items()
        if dataset["source"]["kind"] not in ("generator", "pairs")
    ]
    columns = [Column("data"), Column("from"), Column("revision", "code"), Column("licence")]
    caption = "Data sets that were not generated here: where they are from, what pins them, and their licence."
    return Table("data_sources", "Sources", caption, columns, cells, data.origins("data")) if cells else None


def _place(source: dict) -> tuple[str, str]:
    """What a data set was read from, and what pins it."""
    if source["kind"] == "hub":
        return f"Hugging Face {source['repo']}{' ' + source['name'] if source['name'] else ''}", source["revision"]
    if source["kind"] == "file":
        return f"file {source['path']}", ", ".join(source["sha256"].values())
    if source["kind"] == "mixture":
        return f"data of this run: {', '.join(source['parts'])}", "theirs"
    package = source.get("package", "reasoning-gym")
    return f"Python package {package}", source["version"]


def splits_table(data: ReportData) -> Table | None:
    """One row per split of a data set: counts named `split.count` in the accounting."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for role in (role for role in sorted(data.manifests) if role.startswith("data:")):
        for name, count in data.manifests[role].get("accounting", {}).items():
            split, _, what = name.rpartition(".")
            found.setdefault((role.partition(":")[2], split), {})[what] = count
    names = sorted({what for counts in found.values() for what in counts}, key=lambda what: (what == "kept", what))
    cells = [[*key, *(counts.get(name) for name in names)] for key, counts in found.items()]
    columns = [Column("data"), Column("split"), *(Column(name.replace("_", " "), "int") for name in names)]
    caption = (
        "Rows per split, or per part of a source from which splits are drawn. Removed were rows without a question or "
        "an answer, duplicates, questions with two different answers (conflicting), those of a benchmark "
        "(contaminated) and of another split (overlap); kept are the rows that the pipeline saw."
    )
    sources = data.origins("data")
    return Table("data_splits", "Splits", caption, columns, cells, sources, folded=len(cells) > 20) if cells else None


def counts_table(data: ReportData) -> Table | None:
    """The accounting of all other artifacts, one row each."""
    cells = []
    for role in (role for role in sorted(data.manifests) if not role.startswith("data:")):
        counts = data.manifests[role].get("accounting", {})
        if counts:
            text = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(counts.items()))
            cells.append([role, text])
    columns = [Column("artifact"), Column("counts")]
    caption = "What every other stage generated, dropped and kept."
    return Table("accounting", "Accounting by artifact", caption, columns, cells, [], folded=True) if cells else None


def files_table(data: ReportData) -> Table | None:
    """Rows of every table of the data, rollout and label artifacts."""
    cells = []
    for role in sorted(data.manifests):
        if role.partition(":")[0] in ("data", "exploration", "labels"):
            for name, entry in sorted(data.manifests[role]["files"].items()):
                if "rows" in entry:
                    cells.append([role, name, entry["rows"], data.origin(role)])
    columns = [Column("artifact"), Column("file"), Column("rows", "int"), Column("path", "code")]
    caption = "Rows of every table of the data, the exploration and the labels."
    return Table("data_files", "Tables and their rows", caption, columns, cells, [], folded=True) if cells else None


def run_section(data: ReportData) -> Section:
    """Cost, the index of artifacts and the settings."""
    intro = "What the run cost, and from which artifact every number was made."
    blocks = [by_stage(data), by_study(data), artifact_table(data), settings(data)]
    return Section("run", "Cost and origins", intro, [block for block in blocks if block])


def artifact_table(data: ReportData) -> Table:
    """Every input of the report with its name and key."""
    cells = []
    for role, folder in sorted(data.inputs.items()):
        name, key = split_name(folder)
        record = data.provenance.get(role, {})
        commit = ((record.get("git") or {}).get("commit") or "")[:10]
        cells.append([record.get("stage", ""), name, key or record.get("key", ""), data.origin(role), commit])
    columns = [Column("stage"), Column("name"), Column("key", "code"), Column("path", "code")]
    columns += [Column("commit", "code")]
    caption = (
        "The path of an artifact is its identity: equal config, code and inputs give an equal key. The name of each "
        "table file under tables/ stands at its foot, with the artifacts that it was made from."
    )
    return Table("index", "Where each number came from", caption, columns, cells, [], folded=True, whole=True)


def settings(data: ReportData) -> Text | None:
    """The settings of the run as they stand in its config, defaults filled in."""
    chosen = {name: data.config[name] for name in ("studies", "settings") if data.config.get(name)}
    if not chosen:
        return None
    return Text(json.dumps(chosen, indent=2, ensure_ascii=False, sort_keys=True), "Settings")
