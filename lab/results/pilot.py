"""Which sweeps are pilots: a look, whose verdicts another training may well turn over."""

from __future__ import annotations

from lab.core import roles
from lab.results.sweep import SweepResults

__all__ = ["why_pilot"]

# The verdict of one training seed contradicts the other two about one time in three, measured on
# LyCORIS-evaluation (arXiv 2309.14859), the only public study with several seeds.
RESULT_TRAIN_SEEDS = 3
# A third of the default; at `train=quick` most adapters are on their way.
RESULT_STEPS = 100


def why_pilot(sweep: SweepResults) -> str:
    """Say why a sweep is a pilot: fewer than 3 training seeds, or than 100 training steps.

    Args:
        sweep: A sweep. What counts are its runs that ended; placebos do not.

    Returns:
        One line, empty where the sweep is no pilot. An arm that was trained for longer than
        others decides: sweeps over the number of steps begin with few.
    """
    runs = sweep.runs[(sweep.runs["role"] == roles.ARM) & (sweep.runs["status"] == "DONE")]
    if runs.empty:
        return ""
    num_seeds, num_steps = runs["train_seed"].nunique(), int(runs["train.num_steps"].max())
    reasons = []
    if num_seeds < RESULT_TRAIN_SEEDS:
        seeds = "training seed" if num_seeds == 1 else "training seeds"
        reasons.append(f"{num_seeds} {seeds} where a result needs {RESULT_TRAIN_SEEDS}")
    if num_steps < RESULT_STEPS:
        reasons.append(f"{num_steps} training steps where a result needs {RESULT_STEPS}")
    return f"a pilot: {' and '.join(reasons)}" if reasons else ""
