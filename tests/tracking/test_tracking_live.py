"""Whatever tracking fails with is said in a line, and the sweep goes on."""

from contextlib import contextmanager

import pandas as pd
import pytest

from lab.experiment.schema import TrackingConfig
from lab.record.tables import IMAGES
from lab.tracking import live
from lab.tracking.live import LiveMirror
from lab.tracking.samples import legal_key


class Said(list):
    """A display that keeps what it is told: lines, and how many parts each work had."""

    say = list.append

    def __init__(self):
        super().__init__()
        self.works = {}

    @contextmanager
    def work(self, name):
        counts = self.works.setdefault(name, [])
        yield lambda done, total: counts.append((done, total))


@pytest.fixture
def said():
    return Said()


def mirror(results, said, uri=""):
    return LiveMirror(TrackingConfig(enabled=True, uri=uri), results.runs, said)


def test_a_database_without_its_driver_is_said_once(results, said):
    tracked = mirror(results, said, "postgresql://me:secret@nowhere/db")
    for seed in (0, 1):
        tracked.run(results.add_run(seed=seed))
    (line,) = said
    assert "No module named 'psycopg" in line
    assert "the sweep goes on" in line
    assert "\n" not in line
    assert "secret" not in line


@pytest.mark.parametrize("damage", [b"\xff\xfe" * 5000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_damaged_store_is_said_once(results, said, damage):
    (results.runs / "mlflow.db").write_bytes(damage)
    tracked = mirror(results, said)
    for seed in (0, 1):
        tracked.run(results.add_run(seed=seed))
    (line,) = said
    assert "mlflow.db cannot be used" in line
    assert "\n" not in line


def test_a_mistake_of_our_own_is_said_and_the_next_run_is_mirrored(results, said, monkeypatch):
    def broken(*arguments):
        raise KeyError("arm")

    tracked = mirror(results, said)
    with monkeypatch.context() as patch:
        patch.setattr(live, "mirror_run", broken)
        tracked.run(results.add_run(seed=0))
    assert said == ["not mirrored: KeyError: 'arm'"]
    assert tracked.enabled


def test_names_that_mlflow_refuses_are_spelt_as_it_takes_them(results, said, client):
    output = results.add_run()
    table = IMAGES.read(output.path)
    for name in ("red>1", "..", "a//b", "怪 (獣)", "n" * 300):
        own = table[table["prompt_set"] == "tagged"].assign(prompt_set=name)
        table = pd.concat([table, own])
    IMAGES.write_frame(output.path, table)
    mirror(results, said).run(output)
    assert said == []
    experiment = client.get_experiment_by_name("rank_shapes")
    (run,) = client.search_runs([experiment.experiment_id])
    own = {key for key in run.data.metrics if key.startswith("hue/red/")}
    assert len(own) == 8
    assert {"hue/red/red_x3e_1", "hue/red/_x2e__x2e_", "hue/red/a/_x_/b"} <= own


def test_a_value_that_mlflow_refuses_costs_one_run(results, said, monkeypatch):
    monkeypatch.setattr("lab.tracking.samples.legal_key", lambda name: name + "?")
    tracked = mirror(results, said)
    tracked.run(results.add_run(seed=0))
    (line,) = said
    assert "refused a value" in line
    assert "\n" not in line
    assert tracked.enabled


def test_other_names_have_other_keys():
    names = [
        "a>b",
        "a<b",
        "a_b",
        "a/b",
        "a//b",
        "a/./b",
        "a/../b",
        "",
        ".",
        "..",
        "...",
        "x" * 251,
    ]
    names += ["x" * 252, "größe", "a:b"]
    assert len({legal_key(name) for name in names}) == len(names)
    assert legal_key("hue mass/a-b_c.d") == "hue mass/a-b_c.d"


def test_the_mirror_shows_that_it_works_and_how_far_it_is(results, said):
    for seed in (0, 1):
        results.add_run(seed=seed)
    mirror(results, said).sweep(results.finish())
    assert said == []
    assert said.works == {"mirroring to MLflow": [(0, 3), (1, 3), (2, 3)]}


def test_what_fails_for_every_run_alike_is_said_once(results, said, monkeypatch):
    def failing(*_):
        raise KeyError("arm")

    monkeypatch.setattr(live, "mirror_run", failing)
    tracked = mirror(results, said)
    for seed in (0, 1):
        tracked.run(results.add_run(seed=seed))
    assert said == ["not mirrored: KeyError: 'arm'"]
