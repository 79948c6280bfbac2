import math
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from lab.core.errors import LabError
from lab.experiment.schema import TrainConfig
from lab.method.denoising import per_sample_loss
from lab.method.method import ParameterGroup
from lab.model.noise import VariancePreserving, min_snr_weight
from lab.train.examples import draw_latents
from lab.train.offset import offset_noise
from lab.train.optimizer import build_optimizer, learning_rate_factor, set_learning_rates
from lab.train.order import batch_order


def test_min_snr_weight_equals_a_hand_calculation():
    # alpha_bar 0.9 -> snr 9, alpha_bar 0.5 -> snr 1
    alpha_bar = torch.tensor([0.9, 0.5])
    noise = min_snr_weight(alpha_bar, 5.0, "epsilon")
    velocity = min_snr_weight(alpha_bar, 5.0, "v_prediction")
    assert torch.allclose(noise, torch.tensor([5 / 9, 1.0]))
    assert torch.allclose(velocity, torch.tensor([5 / 10, 1 / 2]))
    assert torch.equal(min_snr_weight(alpha_bar, None, "epsilon"), torch.ones(2))


def test_targets_follow_the_schedule_definition():
    process = VariancePreserving(DDPMScheduler(prediction_type="v_prediction"))
    latents, noise = torch.randn(2, 3, 1, 2, 2)
    times = torch.tensor([0, 500, 999])
    alpha_bar = process.alphas_cumprod[times].view(-1, 1, 1, 1)
    noisy = alpha_bar.sqrt() * latents + (1 - alpha_bar).sqrt() * noise
    velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * latents
    assert torch.allclose(process.mix(latents, noise, times), noisy, atol=1e-6)
    assert torch.allclose(process.target(latents, noise, times), velocity, atol=1e-6)
    assert VariancePreserving(DDPMScheduler()).target(latents, noise, times) is noise
    with pytest.raises(LabError, match="prediction_type must be epsilon or v_prediction"):
        VariancePreserving(DDPMScheduler(prediction_type="sample"))


def test_loss_is_the_mean_square_of_each_sample():
    prediction = torch.zeros(2, 1, 2, 2)
    target = torch.stack([torch.ones(1, 2, 2), 3 * torch.ones(1, 2, 2)])
    assert per_sample_loss(prediction, target).tolist() == [1.0, 9.0]


def test_offset_moves_whole_channels():
    noise = torch.randn(2, 4, 8, 8)
    offset = torch.randn(2, 4, 1, 1)
    moved = offset_noise(noise, offset, 0.1) - noise
    assert torch.allclose(moved, (0.1 * offset).expand_as(noise), atol=1e-6)


def test_latents_are_drawn_from_the_posterior():
    posteriors = torch.stack([torch.full((1, 64, 64), 2.0), torch.full((1, 64, 64), 0.5)])
    drawn = draw_latents(posteriors[None], torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(2, abs=0.05)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.05)


def test_every_example_is_seen_equally_often():
    order = list(islice(batch_order([(8, 8)] * 3, [1, 1, 1], batch_size=4, seed=0), 3))
    assert Counter(np.concatenate(order)) == {0: 4, 1: 4, 2: 4}


def test_repeats_count_within_an_epoch():
    order = list(islice(batch_order([(8, 8)] * 2, [3, 1], batch_size=4, seed=0), 5))
    assert all(Counter(batch) == {0: 3, 1: 1} for batch in order)


def test_a_batch_holds_images_of_one_size():
    sizes = [(8, 8), (8, 12), (8, 8), (8, 12), (8, 12)]
    order = list(islice(batch_order(sizes, [1] * 5, batch_size=2, seed=3), 20))
    assert all(len({sizes[index] for index in batch}) == 1 for batch in order)
    assert set(np.concatenate(order)) == set(range(5))


def test_the_order_is_a_prefix_of_a_longer_one():
    short = list(islice(batch_order([(8, 8)] * 5, [1] * 5, 2, seed=1), 4))
    long = list(islice(batch_order([(8, 8)] * 5, [1] * 5, 2, seed=1), 9))
    assert all((a == b).all() for a, b in zip(short, long, strict=False))


def test_schedules_equal_their_formulas():
    def factors(schedule, warmup=0):
        config = TrainConfig(num_steps=4, schedule=schedule, warmup_steps=warmup)
        return [learning_rate_factor(step, config) for step in range(4)]

    assert factors("constant") == [1, 1, 1, 1]
    assert factors("linear") == [1, 0.75, 0.5, 0.25]
    assert factors("cosine") == pytest.approx(
        [1, (1 + math.cos(math.pi / 4)) / 2, 0.5, (1 - 0.5**0.5) / 2]
    )
    assert factors("constant", warmup=1) == [0.5, 1, 1, 1]


@pytest.mark.parametrize("name", ["adamw", "adafactor", "sgd"])
def test_each_part_has_its_own_learning_rate(name):
    parts = {part: [torch.nn.Parameter(torch.zeros(2, 2))] for part in ("unet", "text_encoder")}
    rates = {"unet": 1e-2, "text_encoder": 1e-3}
    groups = [ParameterGroup(part, own, rates[part]) for part, own in parts.items()]
    optimizer = build_optimizer(groups, TrainConfig(optimizer=name, weight_decay=0.0))
    set_learning_rates(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [5e-3, 5e-4]
    for group in parts.values():
        group[0].grad = torch.ones(2, 2)
    optimizer.step()
    assert parts["unet"][0].abs().mean() > parts["text_encoder"][0].abs().mean() > 0
