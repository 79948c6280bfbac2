"""Where torch's global generators stand: dropout inside a method draws from them, nothing else."""

from __future__ import annotations

import torch

__all__ = ["RandomState", "random_state", "set_random_state"]

RandomState = tuple[torch.Tensor, torch.Tensor | None]  # of the CPU and of the accelerator in use


def random_state() -> RandomState:
    """Return where the generators stand."""
    on_device = None
    if torch.accelerator.is_available():
        on_device = torch.get_device_module().get_rng_state()
    return torch.get_rng_state(), on_device


def set_random_state(state: RandomState) -> None:
    """Let the generators go on from where they stood."""
    on_cpu, on_device = state
    torch.set_rng_state(on_cpu)
    if on_device is not None:
        torch.get_device_module().set_rng_state(on_device)
