"""The stages of the pipeline, in their order."""

STAGES = (
    "fetch_model",
    "fetch_dataset",
    "sample_data",
    "prepare_model",
    "explore_policy",
    "label_rollouts",
    "distill_judge",
    "audit_judge",
    "train_policy",
    "sample_answers",
    "grade_answers",
    "fit_entropy_law",
    "compare_results",
    "render_report",
)
# Run by one process per GPU; of prepare_model, a fine-tuning.
RANKED = ("prepare_model", "explore_policy", "distill_judge", "train_policy", "sample_answers")
