"""Where questions come from: a hub data set, a local file, a file inside a Python package, or a generator.

Each source module has `load(source, origin) -> (rows, empty)`: dictionaries with subject, prompt and reference, in the
order of the source, and the number of rows without one. `generator` makes whole tables instead (see there).
"""

SOURCES = {
    "generator": "workflow_scripts.data.sources.generator",
    "hub": "workflow_scripts.data.sources.hub",
    "file": "workflow_scripts.data.sources.file",
    "package": "workflow_scripts.data.sources.package",
}
