"""Folders written by versions before 0.2 say the same as those written today."""

import json
import shutil

import pandas as pd
import pytest

from lab.results.sweep import open_sweep

# What those versions did not write, file by file.
UNKNOWN_KEYS = {
    "run.json": ("output_id",),
    "DONE.json": ("output_id", "measure_seconds", "files"),
    "sweep.json": ("baselines", "conclusion", "parts"),
}
UNKNOWN_COLUMNS = {"images.csv": ["step"], "base.csv": ["baseline", "step"]}
TABLES = (
    "runs", "images", "controls", "losses", "checks", "drift", "binding", "verdicts",
    "measurements",
)  # fmt: skip


def aged(content, keys):
    """Return what an old version wrote instead of the content of a JSON file."""
    content = {key: value for key, value in content.items() if key not in keys}
    if "train_seed" in content:
        content["seed"] = content.pop("train_seed")
    for entry in content.get("runs", []):
        del entry["output_id"], entry["baseline"]
        entry["seed"] = entry.pop("train_seed")
    for arm in content.get("arms", []):
        del arm["others"]
    return content


def age(folder):
    """Turn the folder of a sweep into what an old version left."""
    for output in list(folder.glob("*/outputs/*/")):
        run = output.parent.parent
        for path in list(output.iterdir()):
            path.rename(run / path.name)
        shutil.rmtree(run / "outputs")
    for name, keys in UNKNOWN_KEYS.items():
        for path in (*folder.glob(name), *folder.glob(f"*/{name}")):
            content = json.loads(path.read_text())
            path.write_text(json.dumps(aged(content, keys)))
    for name, columns in UNKNOWN_COLUMNS.items():
        for path in (*folder.glob(name), *folder.glob(f"*/{name}")):
            pd.read_csv(path, keep_default_na=False).drop(columns=columns).to_csv(
                path, index=False
            )


@pytest.fixture(scope="module")
def both(make_sweep_folder):
    """The same sweep in today's layout and in the old one."""
    folder = make_sweep_folder(seeds=2, images=2, size=32, failed=True)
    new = open_sweep(folder.name, folder.root)
    loaded = {name: getattr(new, name) for name in TABLES}
    old = folder.root.parent / f"{folder.root.name}-old"
    shutil.copytree(folder.root, old)
    age(old / folder.name)
    return loaded, open_sweep(folder.name, old), (folder.root, old)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_the_same(both, name):
    new, old, (root, old_root) = both
    frames = []
    for frame, home in ((new[name], root), (getattr(old, name), old_root)):
        ids = [column for column in ("output_id", "baseline") if column in frame]
        frame = frame.drop(columns=ids)
        if "path" in frame:
            frame["path"] = frame["path"].str.replace(str(home), "", regex=False)
        frames.append(frame.drop(columns="measure_seconds", errors="ignore"))
    assert len(frames[0])
    pd.testing.assert_frame_equal(*frames)


def test_the_old_folder_holds_nothing_of_the_new_layout(both):
    _, old, _ = both
    assert not list(old.folder.glob("*/outputs"))
    assert set(old.runs["output_id"]) == set(old.runs["baseline"]) == {""}
    assert set(old.images["baseline"]) == {""}
