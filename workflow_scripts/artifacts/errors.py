"""The one error of the stage contract."""


class StageError(Exception):
    """A failure that a user can act on: one line that says what is wrong and where."""
