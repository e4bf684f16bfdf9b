"""Where this process computes: on its GPU, or on one thread of the CPU."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def own_device() -> "torch.device":
    """This rank's GPU (`ranks.start_ranks` has chosen it) where there is one, else the CPU."""
    import torch

    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def fix_threads() -> None:
    """One thread where no GPU computes: results repeat bit for bit, and tiny models gain little by a second one."""
    import torch

    if not torch.cuda.is_available():
        torch.set_num_threads(1)
