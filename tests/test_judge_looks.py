"""Adding seeds until decided: worked examples, and how often it errs on simulated sequences."""

import numpy as np
import pytest

from lab.judge.looks import EFFECT_LEVELS, EQUIVALENCE_P, LOOKS, Look, Values, decide_over_looks

MOST = LOOKS[-1]


def values(differences, bound=0.2):
    differences = np.asarray(differences, dtype=float)
    return Values(differences, np.ones(len(differences)), bound)


def seeds(mean, sd=0.1, number=MOST, seed=0):
    return mean + sd * np.random.default_rng(seed).normal(size=number)


def test_a_clear_effect_is_decided_at_the_first_look_and_stands():
    far = np.concatenate([[0.9, 1.0, 0.95], np.zeros(13)])
    assert decide_over_looks({"far": values(far)}) == {"far": Look(3, "above")}
    assert decide_over_looks({"far": values(-far)}) == {"far": Look(3, "below")}
    towards_less = Values(-far, -np.ones(MOST), 0.2)
    assert decide_over_looks({"far": towards_less}) == {"far": Look(3, "above")}


def test_no_effect_is_decided_once_its_interval_lies_inside_the_bound():
    found = decide_over_looks({"none": values(seeds(0.0))})["none"]
    assert found.found == "within"
    assert found.num_train in LOOKS
    assert decide_over_looks({"none": values(seeds(0.0, sd=2))}) == {"none": Look(0, "open")}


def test_looks_are_taken_where_there_are_as_many_seeds():
    assert decide_over_looks({"a": values([1.0, 1.0])}) == {"a": Look(0, "open")}
    early = values(seeds(0.3, sd=0.3, number=4, seed=3))
    assert decide_over_looks({"a": early}) == {"a": Look(0, "open")}
    assert decide_over_looks({}) == {}


def test_a_claim_that_is_rejected_leaves_its_share_to_the_others():
    # p = .01 with three seeds: enough for one claim, not for one of two.
    t = 9.9248  # of a two-sided p of .01 with 2 degrees of freedom
    unit = np.array([-1.0, 0.0, 1.0])
    one_in_a_hundred = unit + t / np.sqrt(3)
    noise = np.array([-5.0, 0.0, 5.0])
    clear = unit + 1000
    assert decide_over_looks({"a": values(one_in_a_hundred)})["a"] == Look(3, "above")
    beside = {"a": values(one_in_a_hundred), "b": values(noise)}
    assert decide_over_looks(beside)["a"] == Look(0, "open")
    beside["b"] = values(clear)
    assert decide_over_looks(beside)["a"] == Look(3, "above")


def test_it_refuses_more_claims_than_there_are_levels_for():
    with pytest.raises(ValueError, match="up to 8 claims, got 9"):
        decide_over_looks({str(k): values(seeds(0.0)) for k in range(9)})


def stopped_when_decided(claims):
    """Add seeds look by look to the claims that are open alone, as a sweep does."""
    number = dict.fromkeys(claims, LOOKS[0])
    while True:
        have = {
            name: Values(own.differences[: number[name]], own.distances[: number[name]], own.bound)
            for name, own in claims.items()
        }
        found = decide_over_looks(have)
        still = [name for name in claims if not found[name].num_train and number[name] < MOST]
        if not still:
            return found
        number |= {name: LOOKS[LOOKS.index(number[name]) + 1] for name in still}


def test_stopping_what_is_decided_changes_no_verdict_and_errs_as_seldom():
    rng = np.random.default_rng(14)
    truths = (0.0, 0.0, 0.3, 0.6, 0.9)
    number, wrong, seeds_used = 400, 0, []
    for _ in range(number):
        claims = {
            f"{k}": values(truth + 0.25 * rng.normal(size=MOST)) for k, truth in enumerate(truths)
        }
        found = stopped_when_decided(claims)
        assert found == decide_over_looks(claims)
        wrong += any(found[name].found in ("above", "below") for name in ("0", "1"))
        seeds_used += [look.num_train or MOST for look in found.values()]
    assert wrong / number <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / number)
    assert np.mean(seeds_used) < 0.75 * MOST


def test_no_effect_keeps_its_share_so_that_the_others_are_held_to_the_same_level():
    t = 9.9248  # of a two-sided p of .01 with 2 degrees of freedom
    unit = np.array([-1.0, 0.0, 1.0])
    one_in_a_hundred = np.concatenate([unit + t / np.sqrt(3), np.zeros(13)])
    inside = values(1e-3 * np.tile([-1.0, 0.0, 1.0, 0.5], 4))
    found = decide_over_looks({"a": values(one_in_a_hundred), "none": inside})
    assert found["none"] == Look(3, "within")
    assert found["a"] == Look(0, "open")


def p_at_looks(drawn):
    """Return the two-sided p at each look, shape `(looks, ...)`, of values by seed (last axis)."""
    from scipy import stats

    found = []
    for look in LOOKS:
        part = drawn[..., :look]
        t = part.mean(axis=-1) / (part.std(axis=-1, ddof=1) / np.sqrt(look))
        found.append(2 * stats.t.sf(np.abs(t), look - 1))
    return np.array(found)


@pytest.mark.parametrize("num_claims", [1, 3, 5, 8])
def test_a_false_effect_is_found_at_some_look_in_one_experiment_of_twenty(num_claims):
    number = 40_000 // num_claims
    drawn = np.random.default_rng(10).normal(size=(number, num_claims, MOST))
    # Without any effect Holm errs when its first step does.
    smallest = p_at_looks(drawn).min(axis=(0, 2))
    errs = np.mean(smallest <= EFFECT_LEVELS[num_claims - 1])
    assert errs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / number)
    assert errs >= 0.03  # and no level is given away


def test_looking_without_the_levels_errs_more_than_twice_as_often():
    drawn = np.random.default_rng(11).normal(size=(20_000, MOST))
    assert np.mean(p_at_looks(drawn).min(axis=0) <= 0.05) > 0.1


def test_an_effect_at_the_bound_is_called_none_in_one_case_of_twenty():
    drawn = 0.2 + 0.15 * np.random.default_rng(12).normal(size=(20_000, MOST))
    under = p_at_looks(drawn - 0.2) <= EQUIVALENCE_P
    below = np.array([drawn[:, :look].mean(axis=1) < 0.2 for look in LOOKS])
    over = p_at_looks(drawn + 0.2) <= EQUIVALENCE_P
    wrong = np.mean((under & below & over).any(axis=0))
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20_000)


def test_the_function_decides_as_its_levels_say():
    rng = np.random.default_rng(13)
    number, wrong = 300, 0
    for _ in range(number):
        drawn = {str(k): values(rng.normal(size=MOST), bound=1e-9) for k in range(3)}
        wrong += any(look.found != "open" for look in decide_over_looks(drawn).values())
    assert wrong / number <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / number)
