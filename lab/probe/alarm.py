"""False alarms: how often a probe sees in the base model's images what no prompt asked for.

Only probes that answer yes or no, or count, can raise one. The rendered pictures of
`lab.probe.misread` say how well a probe reads pictures whose truth is known; this says how it
behaves on the images that an experiment is about.
"""

from __future__ import annotations

import pandas as pd

from lab.core import roles
from lab.probe.noun import PROBES as NOUN_PROBES
from lab.probe.shape import SHAPES

__all__ = ["ALARMS", "false_alarms"]

# Probe -> the word that asks for what it sees, and the value above which it says that it sees it.
ALARMS: dict[str, tuple[str, float]] = {
    "grid_regular": ("grid", 0.0),
    **{name: ("grid", 1.0) for name in ("grid_rows", "grid_columns", "grid_size")},
    **{f"is_shape/{shape}": (shape, 0.0) for shape in SHAPES},
    **{probe.name: (probe.name.removeprefix("noun/"), 0.5) for probe in NOUN_PROBES},
}


def false_alarms(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return each probe's rate of false alarms and share of unreadable images on the base model.

    An image gives a false alarm when the probe sees what the image's prompt does not name. The
    base model's own habits count as well, such as a word that it draws as a circle: the rate is an
    upper bound of what the probe makes up.

    Args:
        measurements: The long table with `role`, `prompt`, `generation_seed`, `probe`, `value`;
            only rows of the role `base` are read, each image of a prompt once.

    Returns:
        Indexed by probe: `num_images` without the word in their prompt (all images for a probe
        that raises no alarms), `false_alarm_rate` among those that could be read (NaN for a probe
        that raises none), and `nan_share` among all.
    """
    base = measurements[measurements["role"] == roles.BASE]
    base = base.drop_duplicates(["probe", "prompt", "generation_seed"])
    rows = {}
    for probe, images in base.groupby("probe", sort=False):
        word, most = ALARMS.get(str(probe), ("", float("nan")))
        unasked = images[~images["prompt"].str.contains(word, regex=False)] if word else images
        read = unasked["value"].dropna()
        rows[probe] = {
            "num_images": len(unasked),
            "false_alarm_rate": float((read > most).mean()) if word else float("nan"),
            "nan_share": float(images["value"].isna().mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("probe")
