"""One file that continues a training where it stood: weights, optimiser, step, log. No pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from lab.core.files import write_bytes
from lab.core.sealed import note_of, sealed
from lab.method.method import Method

__all__ = ["TrainingLog", "load_checkpoint", "save_checkpoint"]

TrainingLog = list[dict[str, float]]


def save_checkpoint(
    path: Path, method: Method, optimizer: torch.optim.Optimizer, step: int, log: TrainingLog
) -> None:
    """Write the state after `step` finished steps, atomically.

    The random streams need no state: every draw is addressed by its step (see `lab.core.seeds`).
    """
    tensors = {f"adapter/{name}": tensor for name, tensor in method.state().items()}
    scalars: dict[str, Any] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer/{index}/{name}"] = value.detach().cpu().contiguous()
            else:
                scalars[f"{index}/{name}"] = value
    position = json.dumps(
        {"step": step, "log": log, "scalars": scalars, "base": method.base.fingerprint}
    )
    write_bytes(path, sealed(save(tensors), position))


def load_checkpoint(
    path: Path, method: Method, optimizer: torch.optim.Optimizer
) -> tuple[int, TrainingLog]:
    """Set method and optimiser to a checkpoint's state.

    Returns:
        The number of finished steps and the log so far; (0, []) when there is no checkpoint.

    Raises:
        UnreadableError: If it is not what was written.
        LabError: If it was written on another base model; older checkpoints do not say on which.
    """
    if not path.is_file():
        return 0, []
    position = json.loads(note_of(path))
    method.check_base(path, position.get("base"))
    tensors = load_file(path)
    method.load_state(
        {
            name.removeprefix("adapter/"): tensor
            for name, tensor in tensors.items()
            if name.startswith("adapter/")
        }
    )
    state: dict[int, dict[str, Any]] = {}
    for name, value in [*tensors.items(), *position["scalars"].items()]:
        if name.startswith("adapter/"):
            continue
        index, key = name.removeprefix("optimizer/").split("/")
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    return position["step"], position["log"]
