"""Named arms and their placebo: what they make of a sweep, and what is refused."""

import json
from dataclasses import asdict

import pytest

from lab.cli.compose import compose_run
from lab.cli.main import main
from lab.core.errors import LabError
from lab.experiment.arms import Job, arms_of, factors_of, recorded_arms, same_others
from lab.experiment.claim import ClaimConfig
from lab.experiment.rules import arm_mistakes
from lab.experiment.schema import RunConfig
from lab.experiment.sweep import Sweep
from lab.judge.values import claim_arms
from lab.results.sweep import open_sweep
from lab.run.spec import find_training_set

ARMS = "++hydra.sweeper.arms"


def job(arm="", rank=8, seed=0, role="arm", dataset="base_shape", **overrides):
    config = RunConfig(seed=seed, arm=arm, role=role)
    config.adapter.rank = rank
    given = {"arm": arm} if arm else {}
    given |= {"adapter.rank": rank, "dataset": dataset, "seed": seed, **overrides}
    words = tuple(f"{key}={value}" for key, value in given.items())
    return Job(config, words, {"dataset": dataset})


def test_a_name_stands_for_what_the_arm_sets_and_other_factors_are_added():
    jobs = [
        job(arm, rank, seed, dataset=dataset)
        for arm, dataset in (("blurred", "base_blur"), ("sharp", "base_monster"))
        for rank in (4, 8)
        for seed in (0, 1)
    ]
    arms = arms_of(jobs)
    assert [arm.label for arm in arms[::2]] == [
        "blurred, rank=4",
        "blurred, rank=8",
        "sharp, rank=4",
        "sharp, rank=8",
    ]
    assert factors_of(jobs) == {"adapter.rank": [4, 8], "dataset": ["base_blur", "base_monster"]}
    assert arms[0].levels == {"adapter.rank": 4, "dataset": "base_blur"}
    assert arms[0].name == "blurred"
    assert arms[0].others == {"adapter.rank": 4}
    assert same_others(arms[0], arms[4])
    assert not same_others(arms[0], arms[2])


def test_a_record_without_what_names_leave_open_is_read_as_one_with_it():
    jobs = [job(arm, rank) for arm in ("one", "one, two") for rank in (4, 8)]
    arms = arms_of(jobs)
    recorded = [asdict(arm) for arm in arms]
    assert recorded_arms(recorded) == arms
    for entry in recorded:
        del entry["others"]
    assert recorded_arms(recorded) == arms


def test_an_arm_that_differs_only_by_name_needs_nothing_else_in_its_label():
    jobs = [job("plain"), job("high", rank=16), job("placebo", role="placebo")]
    assert [arm.label for arm in arms_of(jobs)] == ["plain", "high", "placebo"]
    assert [arm.role for arm in arms_of(jobs)] == ["arm", "arm", "placebo"]
    assert factors_of(jobs) == {"adapter.rank": [8, 16]}


def test_a_prompt_that_changes_with_a_factor_is_refused():
    jobs = [job(rank=4), job(rank=8)]
    jobs[1].config.experiment.prompts = {"trigger": ["monster 8"]}
    with pytest.raises(LabError, match="experiment must be the same in every run of a sweep"):
        Sweep.of(jobs)


def test_without_names_an_arm_is_a_combination_of_levels():
    assert [arm.label for arm in arms_of([job(rank=2), job(rank=4)])] == ["rank=2", "rank=4"]
    assert [arm.label for arm in arms_of([job(seed=0), job(seed=1)])] == ["all", "all"]


@pytest.fixture
def refused(capsys, tmp_path):
    """Plan a sweep that must be refused; return the lines printed."""

    def run(*words):
        words = ["plan", "experiment=base_monster_colored", *words]
        assert main([*words, f"paths.runs={tmp_path / 'runs'}"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()

    return run


def test_all_mistakes_in_arms_are_reported_at_once_with_those_of_their_jobs(refused):
    lines = refused(
        "seed=0",
        f"{ARMS}.blurred={{dataset:base_blurr}}",
        f"{ARMS}.strong={{seed:1,arm:weak,adapter.rank:0}}",
        f"{ARMS}.word=3",
        f"{ARMS}.one={{role:placebo,adapter.rank:4}}",
        f"{ARMS}.odd={{role:control}}",
    )
    assert [line.split(";")[0] for line in sorted(lines)] == [
        "adapter.rank must be between 1 and 4096, got 0",
        "dataset 'base_blurr' not found",
        "hydra.sweeper.arms must hold at most one placebo, got placebo, one",
        "hydra.sweeper.arms.strong must not set arm: strong is its name",
        "hydra.sweeper.arms.word must be a mapping of keys to values, got 3",
        "role must be one of arm, placebo, got 'control'",
        "seed must be left out: arm strong sets it",
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["arm=plian"], "arm 'plian' not found; did you mean plain? "),
        (["arm=plain", "role=placebo"], "role must be left to the arms of hydra.sweeper.arms"),
        (
            [f"{ARMS}.again={{dataset.tags.template:'{{trigger}}'}}"],
            "hydra.sweeper.arms.again must differ from arm plain",
        ),
    ],
)
def test_each_mistake_is_one_line(refused, words, line):
    [printed] = refused("seed=0", *words)
    assert line in printed


def test_a_name_with_signs_that_overrides_give_a_meaning_is_refused():
    [line] = arm_mistakes({"a, b": {"adapter.rank": 4}}, [""], [])
    assert line.startswith("hydra.sweeper.arms: a name must be a letter and then letters, digits")


def test_an_arm_without_any_named_arms_is_refused(refused):
    lines = refused("~hydra.sweeper.arms", "++hydra.sweeper.arms={}", "arm=plain")
    assert "arm 'plain' not found; available: none" in lines


def test_a_claim_about_an_arm_that_does_not_exist_is_refused(refused):
    [line] = refused("++experiment.claims.colour_bound.arm={arm:colored}")
    assert line == (
        "experiment.claims.colour_bound.arm: arm 'colored' not found; did you mean coloured? "
        "available: coloured, placebo, plain"
    )


@pytest.fixture(scope="module")
def sweep(toy_sweep, tmp_path_factory):
    """A toy sweep of two named arms and their placebo, at two ranks."""
    runs = tmp_path_factory.mktemp("arms")
    words = (
        "experiment=base_monster_colored", "adapter.rank=1,2", "seed=0,1", "train.num_steps=2",
        "sample.num_images=4", "sample.batch_size=4",
    )  # fmt: skip
    assert toy_sweep(runs, *words) == 0
    return open_sweep("base_monster_colored", runs)


def test_a_sweep_of_arms_is_their_product_with_the_levels(sweep):
    assert sweep.arms == [
        f"{name}, rank={rank}" for name in ("plain", "coloured", "placebo") for rank in (1, 2)
    ]
    assert sweep.factors == {
        "adapter.rank": [1, 2],
        "dataset.tags.template": ["{trigger}", "{colour} {trigger}"],
    }
    assert len(sweep.runs) == 12
    roles = sweep.runs.groupby("arm", sort=False)["role"].unique()
    assert [list(role) for role in roles] == [["arm"]] * 4 + [["placebo"]] * 2


def test_the_placebo_has_the_captions_and_the_base_models_pictures(sweep):
    training = sweep.images[sweep.images["role"] == "training"]
    own = training[training["arm"] == "placebo, rank=1"]
    arm = training[training["arm"] == "coloured, rank=1"]
    assert list(own["caption"]) == list(arm["caption"])
    assert set(own["path"]).isdisjoint(arm["path"])


def test_the_placebo_is_measured_beside_each_arms_training_set(sweep):
    placebo = sweep.controls[sweep.controls["role"] == "placebo"]
    assert set(placebo["arm"]) == {arm for arm in sweep.arms if "placebo" not in arm}
    runs = sweep.runs.set_index("run_id")["adapter.rank"]
    ranks = placebo["arm"].str[-1].astype(int)
    assert (placebo["run_id"].map(runs) == ranks).all()
    own = sweep.images[sweep.images["role"] == "placebo"]
    assert len(placebo) == 2 * len(own)
    measured = sweep.measurements[~sweep.measurements["probe"].isin(("drift", "binding"))]
    assert set(measured.loc[measured["role"] == "placebo", "arm"]) == set(placebo["arm"])


def test_verdicts_know_the_placebo_and_do_not_judge_it(sweep):
    assert not sweep.verdicts.empty
    assert not sweep.verdicts["arm"].str.startswith("placebo").any()
    known = sweep.verdicts["placebo_li"].notna() | (sweep.verdicts["verdict"] == "NOT MEASURABLE")
    unread = sweep.verdicts["verdict"] == "NO VERDICT"
    assert (known | unread).all()


def test_a_claim_finds_named_arms_at_all_levels(sweep):
    claim = ClaimConfig(statement="It is so", probe="layout_ncc", arm={"arm": "plain"})
    assert claim_arms(sweep.measurements, "c", claim) == ["plain, rank=1", "plain, rank=2"]
    claim.arm["adapter.rank"] = 2
    assert claim_arms(sweep.measurements, "c", claim) == ["plain, rank=2"]


def test_the_record_says_which_arm_is_the_placebo(sweep):
    record = json.loads((sweep.folder / "sweep.json").read_text())
    roles = {arm["name"]: arm["role"] for arm in record["arms"]}
    assert roles == {"plain": "arm", "coloured": "arm", "placebo": "placebo"}


def test_the_plan_finds_a_placebo_that_was_drawn(sweep, tiny_model):
    runs = sweep.runs[sweep.runs["role"] == "placebo"]
    config = RunConfig(role="placebo")
    config.model.path, config.model.resolution_px = str(tiny_model), 16
    config.sample.num_images, config.sample.batch_size, config.sample.num_steps = 4, 4, 2
    config.sample.guidance_scale = 7.5  # of model=path
    config.model.precision = "fp32"
    config.dataset = compose_run(["dataset=base_monster_colored"]).dataset
    config.paths.runs = str(sweep.folder.parent)
    found = find_training_set(config)
    assert found is not None
    assert found.content_hash == runs["dataset_hash"].iloc[0]
    config.sample.guidance_scale = 1.0
    assert find_training_set(config) is None


def test_a_level_that_merges_to_nothing_is_refused():
    [line] = arm_mistakes({"bare": {"dataset.transforms": {}}}, ["bare"], [])
    assert line.startswith("hydra.sweeper.arms.bare.dataset.transforms: {} changes nothing")
