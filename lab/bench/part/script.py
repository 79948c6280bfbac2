"""The lab against diffusers' `train_text_to_image_lora.py`, which a person gives.

Eight runs are trained: two learning rates with four training seeds. By the script each is a
process of its own, one after another, as people do it; by the lab they are one sweep. The sweep
also draws and measures an image of each run, compares the arms and writes the page: that is
counted against it.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from lab.bench.process import Command, Ended, run_whole
from lab.bench.row import Bar, Figure, LeftOutError, Part, Row
from lab.bench.setting import Setting
from lab.bench.sweeps import MINIMAL, seeds, sweep_command
from lab.bench.turns import counted, middle, take_turns
from lab.core import roles
from lab.core.identity import file_hash
from lab.core.project import PROJECT
from lab.dataset import resolve_dataset
from lab.experiment.schema import RunConfig
from lab.launch.resident import model_folder
from lab.record.places import Places

__all__ = ["PART", "measure", "script_words", "write_image_folder"]

RATES = ("1e-3", "5e-4")  # the two arms
SEEDS = 4
RUNS = len(RATES) * SEEDS
_SETTING = ("train.num_steps=300", "train.batch_size=4", "adapter.rank=8", "adapter.alpha=8")
# By `--mixed_precision`: what it is called, and the bar.
SCRIPTS = {
    "no": ("the script as it ships (fp32)", Bar(">=", 3.5)),
    "bf16": ("the script at its best (bf16)", Bar(">=", 3.0)),
}
# By `hydra.launcher.pack`.
LABS = {1: "the lab as it ships", RUNS: f"the lab with hydra.launcher.pack={RUNS}"}


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield how many times the lab's time the script takes for the same eight runs.

    Args:
        setting: Has the script, its Python, and the words that a person typed.
        turns: How many of the script's runs are measured in each precision, and how many of the
            lab's sweeps; the script's time for all runs is eight times that of one.

    Raises:
        LeftOutError: If no script was given.
    """
    options = setting.options
    if options.script is None or options.script_python is None:
        raise LeftOutError(
            "script is left out: give script=PATH_OF_train_text_to_image_lora.py and "
            "script_python=PATH_OF_A_PYTHON that has torchvision, accelerate and datasets"
        )
    with setting.scratch() as folder:
        contest = _Contest(setting, folder)
        ways = {f"script {name}": partial(contest.script, name) for name in SCRIPTS}
        ways |= {f"lab {pack}": partial(contest.lab, pack) for pack in LABS}
        ended = take_turns(ways, turns)
        libraries = contest.libraries()
    told_by = (
        f"medians of {counted(turns, 'turn')}, wall time of whole processes; the script's time "
        f"is {RUNS} x that of one run ({turns} of {RUNS} measured); memory: resident "
        f"sets added up; script {file_hash(options.script)[:12]} with {libraries}"
    )
    for precision, (script_name, bar) in SCRIPTS.items():
        for pack, lab_name in LABS.items():
            script, lab = ended[f"script {precision}"], ended[f"lab {pack}"]
            whole, sweep = RUNS * _seconds(script), _seconds(lab)
            yield Row(
                f"{RUNS} runs of {contest.config.train.num_steps} steps: {script_name} against "
                f"{lab_name}",
                whole / sweep,
                "",
                told_by,
                [
                    Figure(f"script, {RUNS} x", _seconds(script), "s"),
                    Figure("lab", sweep, "s"),
                    Figure("script peak", _peak(script), "MiB"),
                    Figure("lab peak", _peak(lab), "MiB"),
                ],
                bar,
                {
                    "script": [one.seconds for one in script],
                    "lab": [one.seconds for one in lab],
                },
            )


def _seconds(ended: list[Ended]) -> float:
    return middle([one.seconds for one in ended])


def _peak(ended: list[Ended]) -> float:
    return max(one.peak_mib for one in ended)


class _Contest:
    """The same runs by the script and by the lab.

    Args:
        setting: Has the script, its Python, and the words that a person typed.
        folder: An empty folder.
    """

    def __init__(self, setting: Setting, folder: Path) -> None:
        self._setting, self._folder = setting, folder
        self.config = setting.compose(_SETTING)
        self._images = folder / "images"
        self._begun: Counter[str] = Counter()
        write_image_folder(self.config, self._images)

    def script(self, precision: str) -> Ended:
        """Train one run by the script."""
        number = self._begun[precision]
        self._begun[precision] += 1
        output = self._folder / f"script-{precision}-{number}"
        words = script_words(self.config, precision) | {
            "train_data_dir": str(self._images),
            "output_dir": str(output),
            "cache_dir": str(self._folder / "cache"),
            "learning_rate": RATES[number % len(RATES)],
            "seed": str(number % SEEDS),
        }
        flags = [f"--{key}={value}" for key, value in words.items()]
        return self._foreign(
            output.name, str(self._setting.options.script), *flags, "--center_crop"
        )

    def libraries(self) -> str:
        """Return which torch and diffusers the script has."""
        asked = "import diffusers, torch; print(torch.__version__, diffusers.__version__)"
        torch, diffusers = self._foreign("libraries", "-c", asked).printed.split()[-2:]
        return f"torch {torch}, diffusers {diffusers}"

    def _foreign(self, name: str, *words: str) -> Ended:
        """Run the script's Python, which sees nothing of the lab's own environment."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = Command(
            [str(self._setting.options.script_python), *words],
            self._folder,
            {**kept, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
            self._folder / f"{name}.log",
        )
        return run_whole(command)

    def lab(self, pack: int) -> Ended:
        """Train all runs by one sweep, from an empty folder of results."""
        fixed = [
            f"train.learning_rate={','.join(RATES)}", seeds(SEEDS), f"hydra.launcher.pack={pack}",
        ]  # fmt: skip
        number = self._begun[str(pack)]
        self._begun[str(pack)] += 1
        root = self._folder / f"lab-{pack}-{number}"
        return run_whole(sweep_command(self._setting, root, (*MINIMAL, *_SETTING), fixed))


def script_words(config: RunConfig, precision: str) -> dict[str, str]:
    """Return the script's flags for a run's settings: equal resolution, nothing augmented."""
    train = config.train
    words = {
        "pretrained_model_name_or_path": model_folder(config),
        "resolution": config.model.resolution_px,
        "rank": config.adapter.rank,
        "train_batch_size": train.batch_size,
        "max_train_steps": train.num_steps,
        "adam_weight_decay": train.weight_decay,
        "max_grad_norm": math.inf if train.max_grad_norm is None else train.max_grad_norm,
        "lr_scheduler": train.schedule,
        "lr_warmup_steps": train.warmup_steps,
        "mixed_precision": precision,
    }
    return {key: str(value) for key, value in words.items()}


def write_image_folder(config: RunConfig, folder: Path) -> None:
    """Write a run's training images as the script takes them, with a caption each."""
    dataset = resolve_dataset(
        config.dataset, config.model.resolution_px, Places.of(config.paths).datasets,
        project=PROJECT,
    )  # fmt: skip
    folder.mkdir()
    shown = [
        example
        for example in dataset.examples
        if example.role == roles.INSTANCE
        for _ in range(example.repeats)
    ]
    lines = []
    for number, example in enumerate(shown):
        name = f"{number:04d}.png"
        Image.fromarray(dataset.load_image(example)).save(folder / name)
        lines.append(json.dumps({"file_name": name, "text": example.caption}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")


PART = Part(
    "script: eight runs by the lab and by diffusers' script", 2, quick=False, measure=measure
)
