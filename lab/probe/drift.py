"""Functional drift: where in time, and for which prompts, an adapter changes the model."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch

from lab.probe.bank import LatentBank, Predict

__all__ = ["functional_drift"]


@torch.no_grad()
def functional_drift(
    predict_adapter: Predict,
    predict_base: Predict,
    bank: LatentBank,
    prompts: Sequence[str],
) -> pd.DataFrame:
    r"""Compare the predictions of adapter and base on the same noisy latents.

    .. math::
        D(c, t) = \frac{\mathbb{E} \lVert f_{\mathrm{adapter}}(z_t, t, c)
            - f_{\mathrm{base}}(z_t, t, c) \rVert^2}
            {\mathbb{E} \lVert f_{\mathrm{base}}(z_t, t, c) \rVert^2}

    No image is drawn and nothing is guided, so it costs little and has no sampling noise. Drift of
    prompts without the trigger is leakage.

    Args:
        predict_adapter: The model with the adapter on.
        predict_base: The model without it.
        bank: The frozen latents.
        prompts: What the model is told.

    Returns:
        One row per prompt and timestep: `prompt`, `timestep`, `drift` (a share, 0 and more).
    """
    rows = []
    timesteps, noisy = bank.each_time, bank.noisy
    for prompt in prompts:
        base = predict_base(noisy, timesteps, prompt).float()
        shift = predict_adapter(noisy, timesteps, prompt).float() - base
        moved, whole = (
            each.square().unflatten(0, (len(bank.timesteps), -1)).flatten(1).mean(dim=1)
            for each in (shift, base)
        )
        for timestep, drift in zip(bank.timesteps.tolist(), (moved / whole).tolist(), strict=True):
            rows.append({"prompt": prompt, "timestep": timestep, "drift": drift})
    return pd.DataFrame(rows)
