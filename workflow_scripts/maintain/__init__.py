"""Looking after a results folder: `python -m workflow_scripts.maintain VERB`, one module per verb."""
