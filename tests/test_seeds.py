import subprocess
import sys

import pytest

from lab.core.seeds import PURPOSES, array_generator, seed_for, tensor_generator


def test_a_stream_is_the_same_in_another_process():
    code = "from lab.core.seeds import seed_for; print(seed_for(3, 'noise', 7))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert int(other.stdout) == seed_for(3, "noise", 7)


def test_seed_purpose_and_index_each_give_another_stream():
    seeds = {
        seed_for(seed, purpose, index)
        for seed in (0, 1)
        for purpose in PURPOSES
        for index in (0, 1)
    }
    assert len(seeds) == 2 * len(PURPOSES) * 2


def test_zero_is_a_seed_and_draws_repeat():
    assert (array_generator(0, "order").random(4) == array_generator(0, "order").random(4)).all()
    first = tensor_generator(0, "noise").initial_seed()
    assert first == seed_for(0, "noise") != seed_for(1, "noise")


def test_an_unknown_purpose_names_the_choices():
    with pytest.raises(ValueError, match="purpose must be one of adapter, order"):
        seed_for(0, "luck")
