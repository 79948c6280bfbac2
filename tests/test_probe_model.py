"""Drift, binding and diversity where the answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from lab.probe.bank import LatentBank, bank_images, build_bank
from lab.probe.binding import binding_matrix, caption_losses
from lab.probe.diversity import diversity, vendi_score
from lab.probe.drift import functional_drift
from lab.probe.rendered import ShapePicture

ALPHAS = torch.linspace(0.99, 0.01, 1000)


class Process:
    """A variance-preserving noise process, by its definition."""

    def __init__(self, prediction_type="epsilon"):
        self.prediction_type = prediction_type

    def spread_times(self, count):
        return torch.tensor([int((k + 0.5) * len(ALPHAS) / count) for k in range(count)])

    def mix(self, latents, noise, times):
        alpha = ALPHAS[times].view(-1, 1, 1, 1)
        return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise

    def target(self, latents, noise, times):
        alpha = ALPHAS[times].view(-1, 1, 1, 1)
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
        return noise if self.prediction_type == "epsilon" else velocity


SHAPE = (4, 2, 8, 8)


@pytest.fixture
def bank() -> LatentBank:
    return build_bank(torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)), Process())


def denoise(noisy: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
    """Predict the noise of latents that all equal the embedding's first entry."""
    alpha = ALPHAS[timesteps].view(-1, 1, 1, 1)
    return (noisy - alpha.sqrt() * embeds[:, 0, 0].view(-1, 1, 1, 1)) / (1 - alpha).sqrt()


def reading(predict, embeds):
    """Let a model that takes embeddings take a prompt."""

    def from_prompt(noisy: torch.Tensor, timesteps: torch.Tensor, prompt: str) -> torch.Tensor:
        embedding = embeds[prompt]
        return predict(noisy, timesteps, embedding.expand(len(noisy), *embedding.shape))

    return from_prompt


def test_the_bank_asks_the_middle_of_eight_equal_bins(bank: LatentBank) -> None:
    assert bank.timesteps.tolist() == [62, 187, 312, 437, 562, 687, 812, 937]
    timesteps = bank.each_time
    assert timesteps.tolist() == bank.timesteps.repeat_interleave(4).tolist()
    assert len(bank.noisy) == 32
    alpha = ALPHAS[timesteps].view(-1, 1, 1, 1)
    latents = (bank.noisy - (1 - alpha).sqrt() * bank.noise) / alpha.sqrt()
    assert torch.allclose(latents, bank.latents.repeat(8, 1, 1, 1), atol=1e-4)
    assert torch.equal(bank.target, bank.noise)


def test_a_latents_noise_does_not_depend_on_its_companions(bank: LatentBank) -> None:
    alone = build_bank(bank.latents[:1], Process())
    assert torch.equal(alone.noise, bank.noise[::4])
    with pytest.raises(ValueError, match="at least 1 latent, got 0"):
        build_bank(torch.zeros(0, 2, 8, 8), Process())


def test_the_pictures_of_a_bank_are_the_same_however_many() -> None:
    many, few = bank_images(6, 64), bank_images(2, 64)
    assert [image.shape for image in many] == [(64, 64, 3)] * 6
    assert all(np.array_equal(one, other) for one, other in zip(few, many, strict=False))
    assert len({image.tobytes() for image in many}) == 6


def test_the_pictures_of_a_bank_are_the_same_at_any_size() -> None:
    for small, large in zip(bank_images(4, 64), bank_images(4, 512), strict=True):
        reduced = large.reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
        assert np.abs(reduced - small).mean() < 1
        # A corner is drawn from other subpixels: by less than a quarter of the picture's contrast.
        assert (np.abs(reduced - small) < np.ptp(large, axis=(0, 1)) / 4).all()


def test_drift_is_the_relative_square_of_the_change(bank: LatentBank) -> None:
    def doubled_for_trigger(noisy: torch.Tensor, t: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        late = (t > 500).view(-1, 1, 1, 1)
        return denoise(noisy, t, e) * torch.where(late, 1.5, 1.0 + e[:, :1, :1, None])

    prompts = {"monster": torch.ones(3, 5), "dog": torch.zeros(3, 5)}
    base, adapter = reading(denoise, prompts), reading(doubled_for_trigger, prompts)
    drift = functional_drift(adapter, base, bank, list(prompts))
    table = drift.pivot(index="timestep", columns="prompt", values="drift")
    assert table["monster"][:4].to_numpy() == pytest.approx([1.0] * 4)
    assert table["monster"][4:].to_numpy() == pytest.approx([0.25] * 4)
    assert table["dog"][:4].to_numpy() == pytest.approx([0.0] * 4)
    assert functional_drift(base, base, bank, list(prompts))["drift"].max() == 0


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_model_that_knows_its_captions_binds_them(prediction_type: str) -> None:
    captions = {"red monster": -1.0, "green monster": 0.0, "blue monster": 1.0}
    process = Process(prediction_type)
    banks = {c: build_bank(torch.full((3, 2, 8, 8), v), process) for c, v in captions.items()}
    embeds = {caption: torch.full((4, 6), value) for caption, value in captions.items()}

    def know(noisy: torch.Tensor, t: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        noise = denoise(noisy, t, e)
        if prediction_type == "epsilon":
            return noise
        alpha = ALPHAS[t].view(-1, 1, 1, 1)
        return alpha.sqrt() * noise - (1 - alpha).sqrt() * e[:, 0, 0].view(-1, 1, 1, 1)

    def ignore(noisy: torch.Tensor, t: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        return know(noisy, t, torch.zeros_like(e))

    knows = caption_losses(reading(know, embeds), banks, list(captions))
    ignores = caption_losses(reading(ignore, embeds), banks, list(captions))
    assert np.diag(knows) == pytest.approx([0, 0, 0], abs=1e-9)
    binding = binding_matrix(knows, ignores)
    assert np.diag(binding) == pytest.approx([0, 0, 0], abs=1e-6)
    wrong = ~np.eye(len(captions), dtype=bool)
    assert (binding.to_numpy()[wrong] > 0).all()
    # Twice the distance between captions costs four times the loss.
    ratio = (
        binding.loc["red monster", "blue monster"] / binding.loc["red monster", "green monster"]
    )
    assert ratio == pytest.approx(4)
    assert (binding_matrix(ignores, ignores) == 0).all(axis=None)


def test_a_higher_loss_everywhere_is_no_binding() -> None:
    losses = pd.DataFrame([[1.0, 1.2], [1.3, 1.1]], index=["a", "b"], columns=["a", "b"])
    assert np.allclose(binding_matrix(losses + 5, losses), 0)


def test_diversity_counts_different_images() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 2, 2, 3), dtype=np.uint8).repeat(32, 1).repeat(32, 2)
    same = np.stack([ShapePicture("circle").render()] * 5)
    images = np.concatenate([same, noise])
    table = diversity(images, ["same"] * 5 + ["different"] * 4).set_index("prompt")
    assert table["num_images"].to_list() == [4, 4]
    assert table["mean_pairwise_distance"]["same"] == pytest.approx(0, abs=1e-3)
    assert table["vendi_score"]["same"] == pytest.approx(1)
    assert table["vendi_score"]["different"] > 3
    with pytest.raises(ValueError, match="at least 2 images of every prompt, got 1"):
        diversity(images[:3], ["a", "a", "b"])


def test_the_vendi_score_of_equal_groups_is_their_number() -> None:
    assert vendi_score(np.eye(7)) == pytest.approx(7)
    assert vendi_score(np.kron(np.eye(3), np.ones((4, 4)))) == pytest.approx(3)
