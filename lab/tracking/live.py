"""The mirror of a running sweep: a failure is one printed line and never ends the sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.core.errors import LabError
from lab.display.progress import Parts, Talk
from lab.experiment.schema import TrackingConfig
from lab.record.run_folder import OutputFolder
from lab.record.sweep_folder import SweepFolder
from lab.tracking.mirror import mirror_run, mirror_sweep
from lab.tracking.store import TrackingUnreachableError, prepare_in_background, tracking_uri

__all__ = ["LiveMirror"]


class LiveMirror:
    """Mirrors runs as they end.

    An outage is said once and ends the trying, since each attempt would cost seconds. What fails
    for one run alone is said, and the next run is mirrored as ever.

    Args:
        config: Whether and where to mirror.
        runs: The folder of all results.
        display: Shows that it is done; told what could not be mirrored.
    """

    def __init__(self, config: TrackingConfig, runs: Path, display: Talk) -> None:
        self.enabled = config.enabled
        self.runs = runs
        self.display = display
        self.said: set[str] = set()
        self.uri = tracking_uri(config, runs)

    def prepare(self) -> None:
        """Begin making a store that does not exist yet, beside other work."""
        self._attempt(lambda _: prepare_in_background(self.uri))

    def run(self, output: OutputFolder) -> None:
        """Mirror one run."""
        self._attempt(lambda _: mirror_run(output, self.uri, self.runs))

    def sweep(self, folder: SweepFolder) -> None:
        """Mirror a finished sweep with its summary."""
        self._attempt(lambda parts: mirror_sweep(folder, self.uri, self.runs, parts))

    def _attempt(self, act: Callable[[Parts], object]) -> None:
        if not self.enabled:
            return
        try:
            with self.display.work("mirroring to MLflow") as parts:
                act(parts)
        except TrackingUnreachableError as error:
            self.enabled = False
            self._say(f"{error}; the sweep goes on, `make sync` mirrors it later")
        except LabError as error:
            self._say(f"not mirrored: {error}")
        except Exception as error:
            # A mirror is no reason to lose a sweep: not even a mistake in the mirror's own code.
            self._say(f"not mirrored: {type(error).__name__}: {error}")

    def _say(self, line: str) -> None:
        """Say what many runs may meet once."""
        if line not in self.said:
            self.said.add(line)
            self.display.say(line)
