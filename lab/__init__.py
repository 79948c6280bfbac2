"""LoRA lab: controlled LoRA ablations of text-to-image diffusion models.

`lab.open_sweep("base_monster_colored")` gives the results of a sweep as data frames.
"""

from typing import TYPE_CHECKING, Any

from lab import _shadow as _shadow  # must run before anything imports transformers

if TYPE_CHECKING:
    from lab.results.sweep import SweepResults, open_sweep

__all__ = ["SweepResults", "open_sweep"]


def __getattr__(name: str) -> Any:
    # Imported on first use: the command line needs no pandas to answer `--help`.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lab.results import sweep

    return getattr(sweep, name)
