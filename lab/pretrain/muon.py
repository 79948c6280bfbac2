r"""Muon: momentum whose matrices are made orthogonal before they are applied.

For a weight matrix with gradient G, momentum :math:`\mu` and learning rate :math:`\eta`

.. math::
    M \leftarrow \mu M + (1-\mu) G, \qquad
    W \leftarrow (1 - \eta\lambda) W
        - 0.2\,\eta \sqrt{\max(m, n)}\; \operatorname{ns}\!\big(\mu M + (1-\mu) G\big),

where ns brings all singular values near 1 by five Newton-Schulz steps, and the factor gives the
update the size of AdamW's, so that one learning rate serves both. A convolution is the matrix of
its output channels. Everything that is not a matrix inside the network is left to AdamW.

References:
    Jordan et al. 2024, Muon, https://kellerjordan.github.io/posts/muon/
    Liu et al. 2025, Muon is scalable for LLM training, https://arxiv.org/abs/2502.16982
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Muon", "MuonWithAdamW", "orthogonalised"]

_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic, from the first reference
# Inputs and outputs of a network are not matrices between hidden spaces.
_OUTER = ("conv_in", "conv_out", "token_embedding", "position_embedding")


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring the singular values of each matrix near 1 (0.7 to 1.2).

    Args:
        matrices: `(B, m, n)` with m <= n.

    Returns:
        The same shape in bfloat16, in which the products are taken.
    """
    first, second, third = _COEFFICIENTS
    length = matrices.norm(dim=(1, 2), keepdim=True) + 1e-7
    x = (matrices / length).bfloat16()
    for _ in range(_STEPS):
        gram = x @ x.mT
        # The whole polynomial on the small side: elementwise work on x would cost more than this.
        polynomial = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        polynomial.diagonal(dim1=1, dim2=2).add_(first)
        x = polynomial @ x
    return x


class Muon(torch.optim.Optimizer):
    """The update above, for parameters of two or more dimensions.

    Args:
        groups: Parameter groups, as for any optimiser.
        momentum: mu.
        weight_decay: lambda.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(groups, {"lr": 0.0, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; there is no closure to call."""
        for group in self.param_groups:
            # Matrices of one shape are made orthogonal together.
            alike: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self._momentum(parameter, group["momentum"]).flatten(1)
                    alike[min(update.shape), max(update.shape)].append((parameter, update))
            for (_, longest), members in alike.items():
                self._apply(members, group["lr"], group["weight_decay"], 0.2 * longest**0.5)

    def _momentum(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(state["momentum"], momentum)

    def _apply(
        self, members: list[tuple[nn.Parameter, Tensor]], rate: float, decay: float, scale: float
    ) -> None:
        wide = [update.T if update.shape[0] > update.shape[1] else update for _, update in members]
        for (parameter, update), direction in zip(
            members, orthogonalised(torch.stack(wide)), strict=True
        ):
            turned = direction.T if update.shape[0] > update.shape[1] else direction
            parameter.mul_(1 - rate * decay)
            parameter.add_(turned.reshape(parameter.shape), alpha=-rate * scale)


class MuonWithAdamW:
    """Muon for the matrices inside the networks, AdamW for everything else.

    Args:
        networks: Each network with the multiple of the learning rate that it is trained with.
    """

    def __init__(self, networks: Iterable[tuple[nn.Module, float]]) -> None:
        matrices, others = [], []
        for network, scale in networks:
            inner: list[nn.Parameter] = []
            outer: list[nn.Parameter] = []
            for name, parameter in network.named_parameters():
                is_inner = parameter.ndim >= 2 and not any(part in name for part in _OUTER)
                (inner if is_inner else outer).append(parameter)
            matrices.append({"params": inner, "scale": scale})
            others.append({"params": outer, "scale": scale})
        self.muon = Muon(matrices)
        self.adamw = torch.optim.AdamW(
            others, lr=0.0, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """All groups, each with the `scale` of its learning rate."""
        return [*self.muon.param_groups, *self.adamw.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.muon.zero_grad(set_to_none=True)
        self.adamw.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update all parameters."""
        self.muon.step()
        self.adamw.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
