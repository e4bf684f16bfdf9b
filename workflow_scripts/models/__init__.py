"""Models as ordinary Hugging Face directories: from the hub or a file, trained from scratch, or fine-tuned."""

MODEL_SOURCES = {
    "scratch": "workflow_scripts.models.scratch",
    "hub": "workflow_scripts.models.hub",
    "gguf": "workflow_scripts.models.gguf",
    "finetuned": "workflow_scripts.models.finetuned",
}
