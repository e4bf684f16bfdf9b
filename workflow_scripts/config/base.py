"""What all config models share."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NonNegative = Annotated[float, Field(ge=0)]
Environment = Literal["cpu", "deepspeed", "smol", "vllm-cpu", "gpu"]  # envs/NAME.txt
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|unpinned)$")]
Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Kappa = Annotated[float, Field(ge=-1, le=1)]
SplitRef = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$", description="dataset.split")]


class Strict(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def expect(path: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    """Raises ValueError `path: 'name' is not one of ...` for the first name that is not allowed."""
    for name in names:
        if name not in allowed:
            raise ValueError(f"{path}: {name!r} is not one of {', '.join(sorted(allowed)) or '(none)'}")
