"""The one exception a person is meant to see.

Every mistake of a person is one line: the key or the file, the rule, the value, the choices.
Functions collect all of them before they raise, so that one reading mends everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = ["LabError", "raise_if", "unknown"]


class LabError(Exception):
    """One or more mistakes a person can mend; the command line prints them and exits with 2.

    Args:
        mistakes: The lines to print, one mistake each.
    """

    def __init__(self, mistakes: str | Iterable[str]) -> None:
        self.mistakes = [mistakes] if isinstance(mistakes, str) else list(mistakes)
        super().__init__("\n".join(self.mistakes))


def raise_if(mistakes: Sequence[str]) -> None:
    """Raise one `LabError` that carries every line of `mistakes`; do nothing when there is none.

    Raises:
        LabError: If `mistakes` is not empty.
    """
    if mistakes:
        raise LabError(mistakes)


def unknown(what: str, name: str, choices: Iterable[str]) -> str:
    """Say that `name` is not among `choices`, nearest spelling first.

    Returns:
        One line such as ``experiment 'rnak' not found; did you mean rank? available: dose, rank``.
    """
    choices = sorted(choices)
    near = get_close_matches(name, choices, n=1)
    hint = f" did you mean {near[0]}?" if near else ""
    return f"{what} '{name}' not found;{hint} available: {', '.join(choices) or 'none'}"
