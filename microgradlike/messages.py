"""What texts share: the names that are near one that there is not, letters that a terminal can show. No errors here."""

from __future__ import annotations

import sys
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


_PLAIN = str.maketrans("×·−–→◀▶⟵├└│─┬…∂Σσ⌊⌋≈≤≥≠", "x*--><><|`|-+~dSs[]~<>#")


def printable(text: str) -> str:
    """This text in letters that standard output can write: print() of a picture raises in no code page.

    >>> printable("3 × v → J")  # where it takes them all
    '3 × v → J'
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    return text
