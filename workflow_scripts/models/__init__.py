"""Models as ordinary Hugging Face directories: trained from scratch by the pipeline, or taken from the hub."""

MODEL_SOURCES = {
    "scratch": "workflow_scripts.models.scratch",
    "hub": "workflow_scripts.models.hub",
}
