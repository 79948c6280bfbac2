"""What an experiment asks: its question, its prompt sets and its claims."""

from __future__ import annotations

from dataclasses import dataclass

from lab.core.names import is_name
from lab.core.settings import Rule, not_empty, setting
from lab.experiment.claim import ClaimConfig

__all__ = ["ExperimentConfig"]


def _is_experiment_name() -> Rule:
    return Rule(
        "a letter and then letters, digits, '_', '-' or '.' (results are stored under it)",
        is_name,
    )


@dataclass
class ExperimentConfig:
    """One question: its prompt sets and its claims.

    Its arms are `hydra.sweeper.arms`, by name, and the product of `hydra.sweeper.params`.
    """

    name: str = setting("adhoc", _is_experiment_name(), identity=False)
    question: str = setting("", identity=False)
    prompts: dict[str, list[str]] = setting({"trigger": ["monster"]}, not_empty(), identity=False)
    claims: dict[str, ClaimConfig] = setting({}, identity=False)

    @property
    def each_prompt(self) -> list[tuple[str, str]]:
        """Every prompt with the name of its set, in order."""
        return [(name, prompt) for name, those in self.prompts.items() for prompt in those]

    def mistakes(self, prefix: str) -> list[str]:
        """Check that prompt sets have prompts and that claims read existing sets."""
        found = [
            f"{prefix}{kind} must have names of a letter and then letters, digits, '_', '-' or "
            f"'.', got {name!r}"
            for kind in ("prompts", "claims")
            for name in getattr(self, kind)
            if not is_name(name)
        ]
        for name, prompts in self.prompts.items():
            found += _prompt_mistakes(f"{prefix}prompts.{name}", prompts)
        for name in self.claims:
            found += self._claim_mistakes(name, f"{prefix}claims.{name}")
        return found

    def _claim_mistakes(self, name: str, key: str) -> list[str]:
        """Return a line for each prompt set or claim that a claim names and that is not there."""
        claim, found = self.claims[name], []
        if claim.contrast == claim.prompts:
            found.append(
                f"{key}.contrast must be another prompt set than {key}.prompts, "
                f"got {claim.contrast!r} for both"
            )
        for setting_name in ("prompts", "contrast"):
            chosen = getattr(claim, setting_name)
            if chosen is not None and chosen not in self.prompts:
                found.append(
                    f"{key}.{setting_name} must be one of {', '.join(self.prompts)}, "
                    f"got {chosen!r}"
                )
        learned = [other for other in self.claims if self.claims[other].kind == "learned"]
        if claim.than and claim.than not in learned:
            found.append(
                f"{key}.than must be one of the claims of kind learned ({', '.join(learned)}), "
                f"got {claim.than!r}"
            )
        return found


def _prompt_mistakes(key: str, prompts: list[str]) -> list[str]:
    """Return a line for a set that is empty, holds more than texts, or one of them twice."""
    if not prompts:
        return [f"{key} must hold at least one prompt"]
    if wrong := [prompt for prompt in prompts if not isinstance(prompt, str)]:
        return [f"{key} must be a list of texts, got {wrong[0]!r} in it"]
    twice = [prompt for index, prompt in enumerate(prompts) if prompt in prompts[:index]]
    return [f"{key} must hold each prompt once, got {twice[0]!r} twice"] if twice else []
