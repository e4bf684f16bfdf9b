"""What the nano world's tables are drawn with; a config's `options` replaces single entries."""

from dataclasses import dataclass, fields

PLAIN_SUBJECTS = ("arithmetic",)  # the numeric control: references and answers are always plain digits

# Shares of the hash range of questions. A question belongs to one region whatever the seed, so that tables drawn from
# different regions share no question, also across data sets. The demonstrations get half: a small network learns a
# step from examples of most of its cases, and what it has never seen in any form it does not solve.
REGIONS = {"demonstrations": 0.50, "held_out": 0.02, "explore": 0.12, "train": 0.22, "validation": 0.04, "test": 0.10}


@dataclass(frozen=True)
class Settings:
    """level_shares: shares of the difficulty levels 1 to 6 in question tables; lesson_shares: in demonstrations, which
    dwell on single steps.

    style_shares: how often a demonstration answers at once, in brief steps or in careful ones. noise: share of the
    demonstrations of each style with one injected slip. second_form: share of answers in the rarer form.
    """

    level_shares: tuple[float, ...] = (0.10, 0.15, 0.20, 0.20, 0.20, 0.15)
    lesson_shares: tuple[float, ...] = (0.30, 0.25, 0.20, 0.10, 0.10, 0.05)
    style_shares: tuple[tuple[str, float], ...] = (("direct", 0.50), ("brief", 0.30), ("careful", 0.20))
    noise: tuple[tuple[str, float], ...] = (("direct", 0.20), ("brief", 0.30), ("careful", 0.30))
    second_form: float = 0.08


def read_settings(options: dict | None) -> Settings:
    """Return the defaults with the entries of `options` in their place; ValueError names an unknown entry."""
    known = [field.name for field in fields(Settings)]
    for name in options or {}:
        if name not in known:
            raise ValueError(f"nano world: unknown option {name!r} (known: {', '.join(known)})")

    def frozen(value: object) -> object:
        if isinstance(value, dict):
            return tuple((key, float(share)) for key, share in value.items())
        return tuple(value) if isinstance(value, list) else value

    return Settings(**{name: frozen(value) for name, value in (options or {}).items()})
