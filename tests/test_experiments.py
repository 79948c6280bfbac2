"""Every shipped experiment: it plans, and its claims speak of what there is."""

import functools
import itertools
from dataclasses import asdict

import pytest

from lab.cli.main import main
from lab.core.names import flatten
from lab.core.project import list_experiments
from lab.experiment.claim import expected_verdict
from lab.judge.decision import Verdict
from lab.pretrain.vocabulary import COLOURS, NOUNS, SHAPES, is_held_out
from lab.probe import PROBES
from lab.probe.model import MODEL_PROBES

ARTICLE = (
    "basic_shape_grey", "base_shape", "base_monster", "base_monster_colored", "base_blur",
    "base_grid",
)  # fmt: skip


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Plan an experiment, once; return its runs."""
    runs = tmp_path_factory.mktemp("runs")

    @functools.cache
    def plan(name):
        found = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lab.sweep.plan.print_plan", lambda sweep, _: found.extend(sweep.runs))
            assert main(["plan", f"experiment={name}", f"paths.runs={runs}"]) == 0
        return found

    return plan


def levels_of(runs):
    """Return the keys of each arm's settings that a claim may name, with their levels."""
    return [
        {**flatten(asdict(run.config)), **run.arm.levels, "arm": run.arm.name}
        for run in runs
        if run.arm.role == "arm"
    ]


@pytest.mark.parametrize("name", sorted(list_experiments()))
def test_an_experiment_plans_and_its_claims_speak_of_what_there_is(name, planned):
    jobs = planned(name)
    experiment = jobs[0].config.experiment
    levels = levels_of(jobs)
    assert experiment.claims
    for claim in experiment.claims.values():
        assert set(claim.probes) <= {*PROBES, *MODEL_PROBES}
        for wanted in (claim.arm, claim.twin):
            assert any(wanted.items() <= own.items() for own in levels)
        prompts = {*experiment.prompts[claim.prompts], *claim.ceiling}
        assert not claim.matched or set(claim.matched) == prompts
        # Without an outright prompt there is no saying that the base could have learned it; for a
        # thing that it has never seen there is none.
        assert claim.ceiling or claim.kind == "leaked" or name.startswith("new_object")


@pytest.mark.parametrize("name", sorted(list_experiments()))
def test_outright_prompts_are_among_what_the_base_model_was_shown(name, planned):
    claims = planned(name)[0].config.experiment.claims.values()
    for prompt in {prompt for claim in claims for prompt in claim.ceiling}:
        words = prompt.replace("circles", "circle").split()
        pairs = itertools.pairwise(words)
        named = [pair for pair in pairs if pair[0] in COLOURS and pair[1] in (*SHAPES, *NOUNS)]
        assert not any(is_held_out(*pair) for pair in named)


@pytest.mark.parametrize("name", ARTICLE)
def test_an_experiment_of_the_article_is_small_and_says_what_the_article_read(name, planned):
    jobs = planned(name)
    assert len({job.config.arm for job in jobs}) <= 3
    assert {job.config.seed for job in jobs} == {0, 1, 2}
    assert jobs[0].config.sample.num_images == 16
    experiment = jobs[0].config.experiment
    assert sum(map(len, experiment.prompts.values())) <= 7


def test_an_articles_reading_names_a_verdict():
    assert expected_verdict("not learned, hardly") == Verdict.NOT_LEARNED
    assert expected_verdict("learned") == Verdict.LEARNED
    assert expected_verdict("") == ""
    for word in ("not learned", "partly", "contained", "generalised", "interpolated", "leaked"):
        assert Verdict(expected_verdict(word))
