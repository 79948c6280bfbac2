"""`make chaos`: a packed sweep is killed at random moments; the next one must heal it.

Moments are drawn over the whole time that an undisturbed sweep takes. What the sweep that goes on
leaves must be the undisturbed sweep's, byte by byte; the status is 1 where it is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from lab.bench.chaos.compare import EXCEPTED
from lab.bench.chaos.process import TARGETS, Moment
from lab.bench.chaos.trial import Kill, Trial
from lab.core.files import write_json
from lab.core.project import PROJECT
from lab.display.tables import print_rows

__all__ = ["main"]

# Two arms with four training seeds, packed, in two worker processes.
SETTING = (
    "experiment=base_shape", "arm=shapes", "adapter.rank=2,4", "seed=0,1,2,3",
    "model.resolution_px=32", "train.num_steps=8", "train.batch_size=1",
    "train.checkpoint_every=2", "sample.num_images=2", "sample.noises=shared",
    "sample.batch_size=2", "sample.num_steps=2", "hydra.launcher.pack=8",
    "hydra.launcher.processes=2", "tracking.enabled=false",
)  # fmt: skip
# Loaded once, before any sweep begins: a sweep's time is its own, not that of imports.
_LOADED = (
    "lab.cli.main", "lab.cli.launchers", "lab.launch.local", "lab.sweep.run", "lab.sweep.conclude",
    "lab.run.execute", "lab.model.family.stable_diffusion", "lab.report.page.write",
)  # fmt: skip
_MOST_SHOWN = 8  # differences of one sweep


def main(arguments: Sequence[str]) -> int:
    """Kill sweeps, print how each went on, and write the same as JSON.

    Args:
        arguments: The words behind `python -m lab.bench.chaos`: options, and Hydra overrides.

    Returns:
        0; 1 where a sweep that went on left other bytes.
    """
    options, words = _parser().parse_known_args(arguments)
    given = {word.split("=")[0]: word for word in (*SETTING, *words)}
    context = get_context("forkserver")
    context.set_forkserver_preload(list(_LOADED))
    warm = context.Process(target=len, args=((),))
    warm.start()
    warm.join()
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    trial = Trial(list(given.values()), home, context)
    files, seconds, _ = trial.undisturbed
    _say(f"undisturbed: {len(files)} files in {seconds:.0f} s; compared but for {EXCEPTED}")
    kills = []
    stream = np.random.default_rng(options.seed)
    for number in range(options.kills):
        moment = Moment(seconds=float(stream.uniform(0, seconds)))
        kills.append(trial.kill(moment, TARGETS[stream.integers(len(TARGETS))]))
        _say(f"{number + 1}/{options.kills}: {', '.join(_row(kills[-1]))}")
        for line in kills[-1].different[:_MOST_SHOWN]:
            _say(f"  {line}")
    return _report(kills, seconds, options.json, home)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many sweeps are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument(
        "--json", type=Path, default=PROJECT / "runs" / "chaos.json", help="where it is written"
    )
    return parser


def _report(kills: Sequence[Kill], seconds: float, target: Path, home: Path) -> int:
    """Print the table and write the JSON; return the exit status."""
    failed = sum(not kill.identical for kill in kills)
    summary = f"{len(kills)} kills, {len(kills) - failed} sweeps went on to the same bytes"
    heads = ("killed after", "killed", "at stage", "while writing", "statuses", "identical")
    print_rows("chaos", heads, [_row(kill) for kill in kills], summary)
    write_json(
        target,
        {
            "undisturbed_seconds": seconds,
            "excepted": EXCEPTED,
            "kills": [asdict(kill) | {"identical": kill.identical} for kill in kills],
        },
    )
    if failed:
        _say(f"what differs is kept in {home}")
        return 1
    home.rmdir()
    return 0


def _row(kill: Kill) -> tuple[str, ...]:
    """Return the cells of a kill: the statuses are those of the killed sweep and of the next."""
    return (
        f"{kill.moment.seconds:.1f} s",
        kill.target or "nobody: it had ended",
        kill.stage,
        ", ".join(kill.unfinished) or "-",
        " then ".join(map(str, kill.statuses)),
        "yes" if kill.identical else "NO",
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
