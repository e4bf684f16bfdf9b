"""What the nano world's tables are drawn with; a config's `options` replaces single entries."""

from dataclasses import dataclass, fields

PLAIN_SUBJECTS = ("arithmetic",)  # the numeric control: references and answers are always plain digits

# Shares of the hash range of questions. A question belongs to one region whatever the seed, so that tables drawn from
# different regions share no question, also across data sets.
REGIONS = {"demonstrations": 0.28, "held_out": 0.02, "explore": 0.17, "train": 0.35, "validation": 0.06, "test": 0.12}


@dataclass(frozen=True)
class Settings:
    """level_shares: shares of the difficulty levels 1 to 4.

    style_shares: how often a demonstration answers at once, in brief steps or in careful ones. noise: share of the
    demonstrations of each style with one injected slip. second_form: share of answers in the rarer form.
    """

    level_shares: tuple[float, ...] = (0.2, 0.3, 0.3, 0.2)
    style_shares: tuple[tuple[str, float], ...] = (("direct", 0.60), ("brief", 0.28), ("careful", 0.12))
    noise: tuple[tuple[str, float], ...] = (("direct", 0.20), ("brief", 0.35), ("careful", 0.35))
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
