"""What a claim is: an attribute, the prompts and arms it is read on, and what is expected.

A claim compares an adapter with the base model on the same noise, on the scale from the base model
(0) to the training set (1). Three settings change what is compared:

* `contrast` subtracts the shift on another prompt set: (green monster) - (monster);
* `twin` subtracts the shift in another arm: (blurred images) - (sharp images), training seed by
  training seed; with `contrast` as well it is the other arm's shift on the other prompts;
* `target` is what counts as 1 where the training set does not show what is claimed.

A claim of kind `bounded` has no such scale: it asks whether a shift in the probe's own unit lies
inside +-`bound`. That is how drift and binding are claimed, which are read off the model itself
(`lab.probe.model`), with one value per training seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.core.settings import Rule, more_than, not_empty, one_of, setting
from lab.probe.model import MODEL_PROBES

__all__ = ["ClaimConfig", "expected_verdict"]

# What an article may have read, in the words of the verdicts (`lab.judge.decision.Verdict`).
_READINGS = (
    "not learned", "learned", "partly", "weak", "reversed", "leaked", "contained",
    "generalised", "interpolated", "earlier", "later", "changed",
)  # fmt: skip


_KINDS = ("learned", "leaked", "generalised", "interpolated", "earlier", "bounded")


def expected_verdict(article: str) -> str:
    """Return the verdict that an article's reading names, empty where it says nothing."""
    return next((word.upper() for word in _READINGS if article.startswith(word)), "")


def _is_reading() -> Rule:
    return Rule(
        f"empty or begin with one of {', '.join(_READINGS)}",
        lambda text: not text or bool(expected_verdict(text)),
    )


@dataclass
class ClaimConfig:
    """One statement about what the adapter learned, and the prompts it is read on."""

    statement: str = setting("", not_empty())
    # The probe it is read with; empty where `matched` or `joint` names several.
    probe: str = setting("")
    # Prompt -> the probe that belongs to it: what is read is that probe minus the mean of the
    # other prompts' probes, so that `red monster` must be redder than it is green or blue.
    matched: dict[str, str] = setting({})
    # Probe -> the probe that went with it in training: what is read is each first one times (its
    # second one minus the mean of the other second ones), summed: red circles count, red squares
    # count against.
    joint: dict[str, str] = setting({})
    # Values of the probe that the training images have: `generalised` counts values above them,
    # `interpolated` values in the gaps between them.
    support: list[float] = setting([])
    # A value of the probe that counts as 1 instead of the training set's mean.
    target: float | None = setting(None)
    # Which way the probe's value goes where the attribute is there: `higher`, `lower` or `either`;
    # empty means the probe's own direction. A training set on the other side of the base model
    # does not show what is claimed.
    direction: str = setting("", one_of("", "higher", "lower", "either"))
    # A prompt set of the experiment.
    prompts: str = setting("trigger", not_empty())
    # Levels of the arms it speaks of, such as `arm: blurred`; empty means every arm.
    arm: dict[str, Any] = setting({})
    # Levels of the arm whose shift is subtracted; where several have them, the one that otherwise
    # differs least from the claim's.
    twin: dict[str, Any] = setting({})
    # What kind of claim: does the attribute arrive, stay out, leak to other prompts, reach beyond,
    # is it learned after fewer training steps than another, does its shift stay inside a bound?
    kind: str = setting("learned", one_of(*_KINDS))
    # With kind `bounded`: the shift that would matter, in the probe's unit.
    bound: float | None = setting(None, more_than(0))
    # With kind `earlier`: the claim whose attribute is said to be learned later.
    than: str = setting("")
    # Prompts that describe the attribute outright to the base model: the ceiling control.
    ceiling: list[str] = setting([])
    # A prompt set whose shift is subtracted: an interaction such as (green monster) - (monster).
    contrast: str | None = setting(None)
    # What the article read by eye, to be printed beside the verdict: a verdict's word, and more.
    article: str = setting("", _is_reading())
    # Primary claims share the family-wise error of an experiment (Holm).
    primary: bool = setting(True)

    @property
    def probes(self) -> list[str]:
        """The probes that are read, each once."""
        named = [self.probe] if self.probe else [*self.matched.values()]
        return list(dict.fromkeys([*named, *self.joint, *self.joint.values()]))

    @property
    def on_index(self) -> bool:
        """Whether it is read on the scale from the base model (0) to the training set (1)."""
        return self.kind in ("learned", "leaked")

    @property
    def needs_training(self) -> bool:
        """Whether the training images' values are its measure, at the last step or at any."""
        return self.on_index or self.kind == "earlier"

    @property
    def on_model(self) -> bool:
        """Whether it is read off the model itself: without images and generation seeds."""
        return self.probe in MODEL_PROBES

    def mistakes(self, prefix: str) -> list[str]:
        """Check that the settings that belong to some kinds of claims alone are given there."""
        found = []
        if [bool(self.probe), bool(self.matched), bool(self.joint)].count(True) != 1:
            found.append(
                f"{prefix}probe, {prefix}matched or {prefix}joint must be given, and one alone"
            )
        for key in ("matched", "joint"):
            several = getattr(self, key)
            if several and len(set(several.values())) < 2:
                found.append(f"{prefix}{key} must name at least two different probes")
        if self.matched and self.contrast is not None:
            found.append(
                f"{prefix}contrast must be null with {prefix}matched, a contrast by itself"
            )
        found += [
            f"{prefix}matched must name a probe for the ceiling prompt {prompt!r}"
            for prompt in self.ceiling
            if self.matched and prompt not in self.matched
        ]
        if bool(self.than) != (self.kind == "earlier"):
            found.append(f"{prefix}than must be given with {prefix}kind=earlier, and only there")
        if self.direction and not self.needs_training:
            found.append(
                f"{prefix}direction must be empty with {prefix}kind={self.kind}, which is not "
                f"read on the way to the training set"
            )
        if self.twin and not self.arm:
            found.append(f"{prefix}arm must be given with {prefix}twin")
        if self.twin and self.twin == self.arm and self.contrast is None:
            found.append(f"{prefix}twin must be another arm than {prefix}arm, got the same")
        return found + self._support_mistakes(prefix) + self._bound_mistakes(prefix)

    def _bound_mistakes(self, prefix: str) -> list[str]:
        found = []
        if (self.bound is not None) != (self.kind == "bounded"):
            found.append(f"{prefix}bound must be given with {prefix}kind=bounded, and only there")
        if self.on_model and self.kind != "bounded":
            found.append(
                f"{prefix}kind must be bounded with {prefix}probe={self.probe}, which training "
                f"images do not have, got {self.kind!r}"
            )
        if self.kind == "bounded" and (self.ceiling or self.target is not None):
            found.append(
                f"{prefix}ceiling and {prefix}target must be empty with {prefix}kind=bounded"
            )
        return found

    def _support_mistakes(self, prefix: str) -> list[str]:
        found = []
        needed = {"generalised": 1, "interpolated": 2}.get(self.kind, 0)
        if len(set(self.support)) < needed:
            found.append(
                f"{prefix}support must hold at least {needed} values with {prefix}kind={self.kind}"
            )
        if self.support and not needed:
            found.append(
                f"{prefix}support must be empty with {prefix}kind={self.kind}: it belongs to "
                f"generalised and interpolated"
            )
        if needed:
            found += [
                f"{prefix}{key} must be empty with {prefix}kind={self.kind}"
                for key in ("matched", "joint", "target")
                if getattr(self, key)
            ]
        return found
