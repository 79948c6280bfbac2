"""Noise processes: how an image becomes noise, what is predicted, and the way back."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from lab.core.errors import LabError

__all__ = ["NoiseProcess", "Sampler", "VariancePreserving", "min_snr_weight"]


class Sampler(Protocol):
    """The way from noise to an image, of diffusers' shape."""

    timesteps: torch.Tensor
    init_noise_sigma: float

    def scale_model_input(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """Return what the denoiser is shown at a time."""

    def step(
        self, model_output: torch.Tensor, timestep: torch.Tensor, sample: torch.Tensor
    ) -> Any:
        """Return the next latents, as `prev_sample` of the result."""


class NoiseProcess(Protocol):
    """What training and sampling need to know of a model's noise.

    Times are what the denoiser is given, of shape `(B,)`. Everything is computed on the CPU, where
    the random streams are.
    """

    def draw_times(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draw the times of `count` training samples."""

    def spread_times(self, count: int) -> torch.Tensor:
        """Return the middles of `count` equal bins of the training times, from little noise up."""

    def mix(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return the noisy latents `(B, C, h, w)` at each sample's time."""

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> torch.Tensor:
        """Return what the denoiser is trained to predict, of the latents' shape."""

    def weight(self, times: torch.Tensor, min_snr_gamma: float | None) -> torch.Tensor:
        """Return the weight of each sample's loss, shape `(B,)`; None weighs all times alike."""

    def sampler(self, name: str, num_steps: int) -> Sampler:
        """Return a fresh sampler that takes `num_steps` steps."""


# What a sampler takes of the model's scheduler: its noise schedule, and nothing that belongs to
# whichever sampler the model was published with.
SCHEDULE = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
    "prediction_type", "rescale_betas_zero_snr", "timestep_spacing", "steps_offset",
)  # fmt: skip


class VariancePreserving:
    r"""The diffusion of Stable Diffusion 1.x, 2.x and XL, in discrete times 0 to T - 1.

    .. math:: z_t = \sqrt{\bar\alpha_t}\, z + \sqrt{1 - \bar\alpha_t}\, \epsilon

    The target is the noise :math:`\epsilon`, or the velocity
    :math:`\sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1 - \bar\alpha_t}\, z` for models trained on it.

    Args:
        scheduler: The model's noise schedule.

    Raises:
        LabError: If the model predicts neither noise nor velocity.
    """

    def __init__(self, scheduler: DDPMScheduler) -> None:
        self.scheduler = scheduler
        self.prediction_type = str(scheduler.config.prediction_type)
        if self.prediction_type not in ("epsilon", "v_prediction"):
            raise LabError(
                "scheduler_config.json: prediction_type must be epsilon or v_prediction, "
                f"got {self.prediction_type!r}"
            )

    @property
    def alphas_cumprod(self) -> torch.Tensor:
        r"""Share of signal :math:`\bar\alpha_t` in the variance at each time, shape `(T,)`."""
        return self.scheduler.alphas_cumprod

    def draw_times(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draw times uniformly."""
        return torch.randint(len(self.alphas_cumprod), (count,), generator=generator)

    def spread_times(self, count: int) -> torch.Tensor:
        """Return the middles of `count` equal bins of 0 to T - 1."""
        length = len(self.alphas_cumprod)
        return torch.tensor([int((k + 0.5) * length / count) for k in range(count)])

    def mix(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return the noisy latents `(B, C, h, w)` at each sample's time."""
        return self.scheduler.add_noise(latents, noise, times)

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> torch.Tensor:
        """Return the noise or the velocity, of the latents' shape."""
        if self.prediction_type == "epsilon":
            return noise
        return self.scheduler.get_velocity(latents, noise, times)

    def weight(self, times: torch.Tensor, min_snr_gamma: float | None) -> torch.Tensor:
        """Return the min-SNR weight of each time, shape `(B,)`."""
        return min_snr_weight(self.alphas_cumprod[times], min_snr_gamma, self.prediction_type)

    def sampler(self, name: str, num_steps: int) -> Sampler:
        """Return `ddim` or `dpm` (DPM++ 2M) on the model's noise schedule.

        Neither clips the predicted latents: they have no range, and clipping them to [-1, 1],
        which is DDIM's default, greys a picture. What the model's configuration leaves open, such
        as the spacing of the steps, is each sampler's own default, and so it is where the file
        says `leading`: that spacing leaves out the times of the most noise, which DPM++ begins
        with, and is the habit of the sampler that the model was published with. Models that were
        trained to be sampled from the last time on say `trailing`, and are followed.

        References:
            Lin et al. 2024, Common Diffusion Noise Schedules and Sample Steps are Flawed, section
            3.3, https://arxiv.org/abs/2305.08891
        """
        config = self.scheduler.config
        default = set(config.get("_use_default_values", ()))
        schedule = {key: config[key] for key in SCHEDULE if key not in default}
        if schedule.get("timestep_spacing") == "leading":
            del schedule["timestep_spacing"]
        sampler: Any
        if name == "ddim":
            # Some models, such as Stable Diffusion 1.5, end on the least noise they know.
            last = config.get("set_alpha_to_one", True)
            sampler = DDIMScheduler(**schedule, clip_sample=False, set_alpha_to_one=last)
        else:
            sampler = DPMSolverMultistepScheduler(**schedule)
        sampler.set_timesteps(num_steps)
        return sampler


def min_snr_weight(
    alpha_bar: torch.Tensor, gamma: float | None, prediction_type: str
) -> torch.Tensor:
    r"""Weigh times so that those with little noise do not dominate.

    With :math:`s = \bar\alpha_t / (1 - \bar\alpha_t)`,

    .. math:: w_t = \min(s, \gamma) / s \ \text{(noise)}, \qquad
              w_t = \min(s, \gamma) / (s + 1) \ \text{(velocity)}

    References:
        Hang et al. 2023, Efficient Diffusion Training via Min-SNR Weighting Strategy, section 3.4,
        https://arxiv.org/abs/2303.09556

    Args:
        alpha_bar: Share of signal in each sample's variance, shape `(B,)`, inside (0, 1).
        gamma: The largest signal-to-noise ratio that counts fully, 5 in the paper; None weighs all
            times alike.
        prediction_type: `epsilon` or `v_prediction`.

    Returns:
        Weights of shape `(B,)`, inside (0, 1].
    """
    if gamma is None:
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    return snr.clamp(max=gamma) / (snr if prediction_type == "epsilon" else snr + 1)
