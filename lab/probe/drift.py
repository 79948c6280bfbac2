"""Functional drift: where in time, and for which prompts, an adapter changes the model."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch

from lab.probe.bank import LatentBank, Predict

__all__ = ["functional_drift"]


@torch.no_grad()
def functional_drift(
    predict_adapter: Predict,
    predict_base: Predict,
    bank: LatentBank,
    prompt_embeds: Mapping[str, torch.Tensor],
) -> pd.DataFrame:
    r"""Compare the predictions of adapter and base on the same noisy latents.

    .. math::
        D(c, t) = \frac{\mathbb{E} \lVert f_{\mathrm{adapter}}(z_t, t, c)
            - f_{\mathrm{base}}(z_t, t, c) \rVert^2}
            {\mathbb{E} \lVert f_{\mathrm{base}}(z_t, t, c) \rVert^2}

    No image is drawn, so it costs about a hundredth of sampling and has no sampling noise. Drift
    of prompts without the trigger is leakage.

    Args:
        predict_adapter: The model with the adapter on.
        predict_base: The model without it.
        bank: The frozen latents.
        prompt_embeds: Each prompt's embedding, shape `(L, D)`.

    Returns:
        One row per prompt and timestep: `prompt`, `timestep`, `drift` (a share, 0 and more).
    """
    rows = []
    for prompt, embedding in prompt_embeds.items():
        embeds = embedding.expand(len(bank.latents), *embedding.shape)
        for timestep, noisy, _, _ in bank.questions():
            timesteps = torch.full((len(noisy),), timestep)
            base = predict_base(noisy, timesteps, embeds).float()
            shift = predict_adapter(noisy, timesteps, embeds).float() - base
            drift = shift.square().mean() / base.square().mean()
            rows.append({"prompt": prompt, "timestep": timestep, "drift": drift.item()})
    return pd.DataFrame(rows)
