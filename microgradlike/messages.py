"""What error messages share: the names that are near one that there is not. No check and no error lives here."""

from __future__ import annotations

from collections.abc import Iterable


def near(name: str, known: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """The known names that are like this one, in any case of letters, the nearest first.

    >>> near("sgd", ["SGD", "Adam"]), near("tan", ["tanh", "atan", "cos"]), near("x", ["Adam"])
    (['SGD'], ['tanh', 'atan'], [])
    """
    from difflib import get_close_matches  # it is wanted for errors only

    by_lower = {each.lower(): each for each in known}
    return [by_lower[each] for each in get_close_matches(name.lower(), list(by_lower), most, cutoff)]


def did_you_mean(name: str, known: Iterable[str], most: int = 3) -> str:
    """The question that ends an error about a name; "" if none is near.

    >>> did_you_mean("tan", ["tanh", "atan", "cos"])
    'did you mean tanh or atan?'
    """
    like = near(name, known, most)
    return f"did you mean {' or '.join(like)}?" if like else ""
