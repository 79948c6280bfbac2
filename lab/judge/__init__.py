"""Statistics and verdicts: what may be said about each claim, and how sure that is.

`judge` turns measurements into the verdict table, `judge_over_looks` does so for an experiment to
which training seeds are added until it is decided. Nothing here imports torch.
"""

from lab.judge.crossed import Crossed, crossed
from lab.judge.decision import Verdict
from lab.judge.sequential import judge_over_looks
from lab.judge.table import judge

__all__ = ["Crossed", "Verdict", "crossed", "judge", "judge_over_looks"]
