"""Binding by caption swap: does the model hold an image for likelier under its own caption?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from lab.probe.bank import LatentBank, Predict

__all__ = ["binding_matrix", "caption_losses"]


@torch.no_grad()
def caption_losses(
    predict: Predict,
    banks: Mapping[str, LatentBank],
    captions: Sequence[str],
) -> pd.DataFrame:
    """Measure the denoising loss of images under every caption, at the same noise and timesteps.

    Args:
        predict: The model, with an adapter or without.
        banks: The images' latents by the caption that belongs to them.
        captions: The captions they are given.

    Returns:
        Mean squared error: rows are the images' own captions, columns the captions they are given.
    """
    losses = pd.DataFrame(index=list(banks), columns=list(captions), dtype=float)
    for own, bank in banks.items():
        for given in captions:
            prediction = predict(bank.noisy, bank.each_time, given).float()
            losses.loc[own, given] = (prediction - bank.target).square().mean().item()
    return losses


def binding_matrix(losses_adapter: pd.DataFrame, losses_base: pd.DataFrame) -> pd.DataFrame:
    r"""Return how much more a wrong caption costs with the adapter than without.

    .. math::
        B(i, c) = [L(x_i, c) - L(x_i, c_i)]_{\mathrm{adapter}}
            - [L(x_i, c) - L(x_i, c_i)]_{\mathrm{base}}

    The loss is a bound on the likelihood, which makes the model a classifier of captions.

    References:
        Li et al. (2023), Your diffusion model is secretly a zero-shot classifier,
        https://arxiv.org/abs/2303.16203

    Args:
        losses_adapter: From `caption_losses`; the captions of the rows stand among the columns.
        losses_base: The same without the adapter.

    Returns:
        Of the same shape; 0 on the diagonal, positive where the adapter binds image to caption.
    """
    extra = losses_adapter - losses_base
    own = pd.Series({caption: extra.loc[caption, caption] for caption in extra.index})
    return extra.sub(own, axis="index")
