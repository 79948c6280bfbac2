"""Statistics and verdicts: what may be said about each claim, and how sure that is.

`judge` turns measurements into the verdict table. Nothing here imports torch.
"""

from lab.judge.crossed import Crossed, crossed
from lab.judge.decision import Verdict
from lab.judge.table import judge

__all__ = ["Crossed", "Verdict", "crossed", "judge"]
