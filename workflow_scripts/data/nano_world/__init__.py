"""The nano world: generated questions in six subjects, small enough for tiny models, with free-form answers.

A prompt is about ten tokens, a worked answer about fifteen, where the prompts of reasoning-gym (from whose task
families the subjects come) are whole sentences or paragraphs: they could not be learned in a minute on one core.
"""

from workflow_scripts.data.nano_world.demonstrations import demonstration_table
from workflow_scripts.data.nano_world.equivalence import equivalent
from workflow_scripts.data.nano_world.pairs import pair_table
from workflow_scripts.data.nano_world.questions import question_table
from workflow_scripts.data.nano_world.settings import Settings, read_settings

__all__ = ["Settings", "demonstration_table", "equivalent", "pair_table", "question_table", "read_settings"]
