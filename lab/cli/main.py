"""The command line: `python -m lab [COMMAND] [overrides]`.

A person's mistakes are printed one line each and end with status 2; a sweep with a failed run ends
with status 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from lab.core.errors import LabError, raise_if, unknown
from lab.display.plain import replace_unknown_signs

__all__ = ["main"]

USAGE = """\
usage: python -m lab [COMMAND] experiment=NAME [key=value ...]

commands
  sweep     train, sample, measure and compare every arm (the default)
  plan      say which runs are new, done, partial or stale, and how long they take; train nothing
  dataset   build one dataset and show its contact sheet: dataset=NAME
  report    write verdicts, sheets and page again from the run folders
  results   write the verdicts of all finished experiments into experiments/README.md
  sync      mirror all run folders to MLflow
  ui        open the MLflow UI on the lab's store
  pictures  take the README's pictures of a finished sweep: prompt=TEXT for the sheet's prompt

overrides are Hydra's: adapter.rank=2,8 seed=0,1,2 train=quick model=path model.path=PATH

experiments
{experiments}
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: The words behind `python -m lab`.

    Returns:
        0, 1 when a run failed, 2 when a person's mistake must be mended first.
    """
    commands: dict[str, Callable[[list[str]], int]] = {
        "sweep": _sweep,
        "plan": lambda words: _sweep([*words, "hydra/launcher=plan"]),
        "dataset": _dataset,
        "report": _report,
        "results": _results,
        "sync": _sync,
        "ui": _ui,
        "pictures": _pictures,
    }
    for stream in (sys.stdout, sys.stderr):
        replace_unknown_signs(stream)
    words = [word for word in arguments if word != "--multirun"]
    if not words or words[0] == "help" or {"-h", "--help"} & {*words}:
        return _say(_usage())
    command = words.pop(0) if "=" not in words[0] else "sweep"
    try:
        if command not in commands:
            raise LabError(unknown("command", command, commands))
        raise_if(
            [
                f"'{word}' is no option of {command}: settings are key=value"
                for word in words
                if word.startswith("-")
            ]
        )
        return commands[command](words)
    except LabError as error:
        for line in error.mistakes:
            sys.stderr.write(f"{line}\n")
        return 2
    except OSError as error:
        if error.filename is None:  # no file of a person's: a mistake of the lab's own
            raise
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; the same command continues where it stopped\n")
        return 130


def _say(text: str) -> int:
    sys.stdout.write(text.rstrip() + "\n")
    return 0


def _usage() -> str:
    from lab.core.project import list_experiments

    lines = [f"  {name:<24} {question}" for name, question in list_experiments().items()]
    return USAGE.format(experiments="\n".join(lines))


def _sweep(words: list[str]) -> int:
    """Hand the overrides to Hydra, whose sweeper and launchers are the lab's own."""
    import hydra
    from omegaconf import DictConfig

    from lab.cli.compose import explain
    from lab.cli.mistakes import COMPOSITION_ERRORS
    from lab.cli.slips import slips_of_chosen
    from lab.cli.words import checked
    from lab.core.project import CONF

    overrides = checked(words)
    raise_if(slips_of_chosen(overrides))

    def no_job(_: DictConfig) -> None:
        """Stand where Hydra expects what does one job; the sweeper does all of them."""

    # With this set Hydra raises what went wrong, and the lab says it in one line.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [sys.argv[0], *overrides]
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(no_job)()
    except COMPOSITION_ERRORS as error:
        raise LabError(explain(error, overrides)) from error
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _dataset(overrides: list[str]) -> int:
    from lab.cli.compose import compose_run
    from lab.core.project import PROJECT
    from lab.dataset import dataset_notes, show_dataset
    from lab.record.places import Places

    config = compose_run(overrides)
    root = Places.of(config.paths).datasets
    side = config.model.resolution_px
    shown = show_dataset(config.dataset, side, root, project=PROJECT)
    notes = dataset_notes(
        config.dataset, side, project=PROJECT, prior_weight=config.train.prior_weight
    )
    return _say("\n".join([shown, *notes]))


def _report(overrides: list[str]) -> int:
    from lab.cli.compose import compose_run
    from lab.display.terminal import SweepDisplay
    from lab.record.places import Places
    from lab.record.sweep_folder import SweepFolder
    from lab.sweep.conclude import print_conclusion, rewrite

    config = compose_run(overrides)
    folder = SweepFolder(Places.of(config.paths).experiment(config.experiment.name))
    with SweepDisplay(config.experiment.name, ()) as display:
        rewrite(folder, config.experiment.claims, display)
    print_conclusion(folder)
    return 0


def _results(overrides: list[str]) -> int:
    from lab.cli.compose import compose_run
    from lab.core.project import PROJECT
    from lab.record.places import Places
    from lab.report.results import write_results

    readme = PROJECT / "experiments" / "README.md"
    found = write_results(readme, Places.of(compose_run(overrides).paths).root)
    return _say(f"{readme}: {', '.join(found)}")


def _sync(overrides: list[str]) -> int:
    from lab.cli.compose import compose_run
    from lab.record.places import Places
    from lab.tracking import sync

    config = compose_run(overrides)
    return _say(sync(Places.of(config.paths).root, config.tracking))


def _ui(overrides: list[str]) -> int:
    from lab.cli.compose import compose_run
    from lab.record.places import Places
    from lab.tracking import serve_ui

    config = compose_run(overrides)
    serve_ui(config.tracking, Places.of(config.paths).root, config.experiment.name)
    return 0


def _pictures(overrides: list[str]) -> int:
    from lab.cli.compose import compose_run
    from lab.cli.pictures import take_pictures
    from lab.core.project import PROJECT
    from lab.record.places import Places

    prompts = [word.removeprefix("prompt=") for word in overrides if word.startswith("prompt=")]
    config = compose_run([word for word in overrides if not word.startswith("prompt=")])
    folder = PROJECT / "experiments" / "pictures"
    prompt = prompts[-1] if prompts else ""
    name = config.experiment.name
    files = take_pictures(name, Places.of(config.paths).root, config.tracking, folder, prompt)
    return _say("\n".join(str(file) for file in files))
