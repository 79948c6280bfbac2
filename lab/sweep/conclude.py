"""The end of a sweep: controls are measured, claims judged, sheets and the page written."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.files import write_bytes
from lab.core.identity import file_hash
from lab.experiment.claim import ClaimConfig
from lab.launch.task import Outcome
from lab.record.documents import SweepRecord
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import DIVERSITY, VERDICTS
from lab.results.looks import looks_note
from lab.results.means import SHOWN, means_moved
from lab.results.pilot import why_pilot
from lab.results.sweep import SweepResults, open_sweep
from lab.sweep.controls import CONTROLS, write_controls
from lab.sweep.finished import Finished
from lab.sweep.judging import judge_sweep, note_seen

if TYPE_CHECKING:
    import pandas as pd

    from lab.display.pace import Stopwatch
    from lab.display.progress import Talk
    from lab.display.terminal import SweepDisplay

__all__ = ["conclude", "is_concluded", "print_conclusion", "rewrite"]

COMPARISON = "comparison"


def conclude(finished: Finished, display: SweepDisplay, watch: Stopwatch) -> Outcome:
    """Compare the arms of a sweep, unless nothing has changed since they were last compared.

    Args:
        finished: The sweep.
        display: Told what happens.
        watch: Its stage times go into the record.

    Returns:
        How it ended. A comparison that fails leaves the runs as they are, and the next sweep makes
        it again.
    """
    folder = finished.folder
    try:
        if not is_concluded(folder, finished.conclusion):
            _remove_changed(folder)
            with watch.stage(CONTROLS):
                write_controls(finished, display)
            with watch.stage(COMPARISON):
                record = note_seen(folder, finished.record())
                record = replace(record, conclusion=finished.conclusion)
                _write_report(folder, record, watch, finished.sweep.claims, display)
    except LabError as error:
        return _failed(display, "; ".join(error.mistakes), "")
    except Exception as error:  # the runs are done and stay so, whatever the comparison meets
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return _failed(display, reason, traceback.format_exc())
    return Outcome(COMPARISON, "DONE")


def _failed(display: SweepDisplay, reason: str, details: str) -> Outcome:
    display.finish(COMPARISON, "FAILED", reason)
    if details:
        display.say(details.rstrip())
    return Outcome(COMPARISON, "FAILED", reason)


def is_concluded(folder: SweepFolder, conclusion: str) -> bool:
    """Say whether the comparison of just these results is there, with all parts as written."""
    record = folder.record
    return (
        record is not None
        and record.conclusion == conclusion
        and bool(record.parts)
        and all(_is_as_written(folder.path / part, known) for part, known in record.parts.items())
    )


def _is_as_written(path: Path, known: str) -> bool:
    return path.is_file() and file_hash(path) == known


def _remove_changed(folder: SweepFolder) -> None:
    """Remove parts of the last comparison that are not what was written: they tell nothing."""
    record = folder.record
    for part, known in (record.parts if record else {}).items():
        if not _is_as_written(folder.path / part, known):
            (folder.path / part).unlink(missing_ok=True)


def _write_report(
    folder: SweepFolder,
    record: SweepRecord,
    watch: Stopwatch | None,
    claims: Mapping[str, ClaimConfig],
    display: Talk,
) -> None:
    """Write record and report, the conclusion last: one that was cut off is made again."""
    seconds = watch.seconds if watch else record.stage_seconds
    replace(record, conclusion="", parts={}, stage_seconds=dict(seconds)).write(folder.path)
    report(folder, claims, display)
    parts = {
        str(Path(place, path.name)): file_hash(path)
        for path, place in folder.files()
        if path.name != SweepRecord.FILE
    }
    replace(record, parts=parts, stage_seconds=dict(seconds)).write(folder.path)


def rewrite(folder: SweepFolder, claims: Mapping[str, ClaimConfig], display: Talk) -> None:
    """Write verdicts, sheets and page of a recorded sweep again.

    Args:
        folder: The sweep's.
        claims: What is judged.
        display: Shows what is done; told why a claim has no verdict.

    Raises:
        LabError: If there is no finished sweep.
    """
    record = folder.record
    if record is None:
        raise LabError(f"{folder.path} holds no finished sweep; run `make sweep` first")
    _remove_changed(folder)
    _write_report(folder, record, None, claims, display)


def report(folder: SweepFolder, claims: Mapping[str, ClaimConfig], display: Talk) -> None:
    """Write verdicts, sheets and the comparison page of a recorded sweep from its run folders.

    Args:
        folder: The sweep's.
        claims: What is judged.
        display: As in `rewrite`.
    """
    from lab.report.confusion import write_confusions
    from lab.report.dose import write_doses
    from lab.report.instruments import write_instrument_figures
    from lab.report.noise_floor import write_noise_floors
    from lab.report.page import write_page
    from lab.report.sheets import write_sheets
    from lab.report.variance import write_variance
    from lab.results.derived import diversity_table

    name, root = folder.path.name, folder.path.parent
    sweep = open_sweep(name, root)
    with display.work("drawing sheets") as parts:
        write_sheets(sweep, parts)
    with display.work("judging claims"):
        DIVERSITY.write_frame(folder.path, diversity_table(sweep.full_weight_images))
        verdicts, reasons = judge_sweep(sweep, claims)
        _write_verdicts(folder, verdicts)
        reasons += write_doses(sweep, claims)
        write_variance(sweep)
        write_confusions(sweep)
        sweep = open_sweep(name, root)  # with the tables that were just written
        write_noise_floors(sweep)
    with display.work("writing the page"):
        write_instrument_figures(sweep)
        write_page(sweep, folder.page)
    for line in reasons:
        display.say(line)


def _write_verdicts(folder: SweepFolder, verdicts: pd.DataFrame | None) -> None:
    """Replace the verdict table; without verdicts there is none."""
    if verdicts is None or verdicts.empty:
        (folder.path / VERDICTS.file).unlink(missing_ok=True)
        folder.verdicts_parquet.unlink(missing_ok=True)
        return
    VERDICTS.write_frame(folder.path, verdicts)
    write_bytes(folder.verdicts_parquet, verdicts.to_parquet(index=False))


def print_conclusion(folder: SweepFolder) -> None:
    """Print what was found, and as the last lines where it can be looked at."""
    from lab.display.tables import print_verdicts

    sweep = open_sweep(folder.path.name, folder.path.parent)
    if sweep.verdicts.empty:
        _print_means(sweep)
    else:
        notes = [why_pilot(sweep), looks_note(sweep.record, sweep.verdicts)]
        print_verdicts(sweep.verdicts, "; ".join(filter(None, notes)))
    sys.stdout.write(
        f"comparison  {folder.page.absolute().as_uri()}\n"
        f"sheets      {folder.sheets.absolute().as_uri()}\n"
        f"MLflow      make ui EXP={sweep.name}\n"
    )


def _print_means(sweep: SweepResults) -> None:
    """Print what moved most, where nothing was claimed."""
    from lab.display.tables import print_table

    title = f"no claims; means of the {SHOWN} probes that arms move furthest from the base"
    means = means_moved(sweep)
    if not means.empty:
        print_table(means, ", ".join(filter(None, [title, why_pilot(sweep)])))
