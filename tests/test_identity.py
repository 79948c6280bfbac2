from dataclasses import dataclass

import numpy as np
import pytest

from lab.core.identity import array_hash, canonical_json, content_id
from lab.core.settings import (
    at_least,
    between,
    build_from_mapping,
    find_mistakes,
    identity_of,
    one_of,
    setting,
)
from lab.experiment.schema import AdapterConfig, RunConfig, TrainConfig


def test_the_order_of_keys_does_not_change_an_id():
    assert content_id({"a": 1, "b": [2.5]}) == content_id({"b": [2.5], "a": 1})
    assert canonical_json({"b": 1, "a": 0.1}) == '{"a":0.1,"b":1}'


def test_nan_has_no_id():
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_id({"rate": float("nan")})


def test_an_array_is_named_by_shape_type_and_values():
    pixels = np.arange(12, dtype=np.uint8)
    names = {
        array_hash(pixels),
        array_hash(pixels.reshape(3, 4)),
        array_hash(pixels.astype(np.int8)),
        array_hash(pixels + 1),
    }
    assert len(names) == 4
    strided = np.repeat(pixels, 2)[::2]
    assert array_hash(strided) == array_hash(pixels)


def test_settings_that_are_off_and_scheduling_are_not_identity():
    plain = identity_of(TrainConfig())
    assert identity_of(TrainConfig(checkpoint_every=7, gradient_checkpointing=True)) == plain
    assert "min_snr_gamma" not in plain
    assert "streams" not in plain
    assert identity_of(TrainConfig(min_snr_gamma=5.0)) == plain | {"min_snr_gamma": 5.0}
    assert identity_of(AdapterConfig(dora=True))["dora"] is True


def test_all_mistakes_are_found_at_once():
    config = RunConfig()
    config.adapter.rank = 0
    config.train.learning_rate = float("nan")
    config.train.schedule = "square"
    config.experiment.prompts = {"trigger": []}
    assert find_mistakes(config) == [
        "adapter.rank must be between 1 and 4096, got 0",
        "train.learning_rate must be a finite number, got nan",
        "train.schedule must be one of constant, linear, cosine, got 'square'",
        "experiment.prompts.trigger must hold at least one prompt",
    ]


def test_prior_preservation_needs_prompts_with_their_images():
    assert find_mistakes(TrainConfig(prior_weight=1.0, prior_images=4), "train.") == [
        "train.prior_prompts must be given when train.prior_images is more than 0",
    ]
    assert find_mistakes(TrainConfig(prior_weight=1.0, prior_prompts=["a cat"]), "train.") == [
        "train.prior_images must be at least 1 when train.prior_prompts are given",
    ]


@dataclass
class Blur:
    sigma_px: float = setting(1.0, at_least(0))
    kind: str = setting("gaussian", one_of("gaussian", "motion"))
    share: float = setting(1.0, between(0, 1))


def test_a_mapping_becomes_a_checked_class():
    assert build_from_mapping(Blur, {"sigma_px": 2}, "blur.").sigma_px == 2
    with pytest.raises(Exception, match=r"key 'sigma' not found; did you mean sigma_px\?"):
        build_from_mapping(Blur, {"sigma": 2}, "blur.")
    with pytest.raises(Exception, match=r"blur.share must be between 0 and 1, got 3"):
        build_from_mapping(Blur, {"share": 3}, "blur.")
