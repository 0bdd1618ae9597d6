"""How a fit shows that it is going on: tqdm's bar where it is installed, one plain line otherwise. On stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

_EVERY = 0.1  # seconds between two writings of the plain line


class Progress:
    """`with Progress("Name", 300) as progress: progress.epoch(loss)`, once for each of 300 epochs at most."""

    def __init__(self, title: str, epochs: int, shown: bool):
        self._title, self._epochs, self._done, self._loss = title, epochs, 0, float("nan")
        self._bar: Any = None
        shown = shown and sys.stderr is not None  # as under pythonw
        self._plain = shown
        self._next = 0.0
        if shown:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self._plain = False
            self._bar = tqdm(total=epochs, desc=title, unit="epoch", leave=True)

    def epoch(self, loss: float) -> None:
        """One more epoch is done; `loss` is its cost."""
        self._done += 1
        self._loss = loss
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.6g}", refresh=False)
            self._bar.update()
        elif self._plain and sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            sys.stderr.write(f"\r{self._line()}")
            sys.stderr.flush()

    def _line(self) -> str:
        return f"{self._title}: epoch {self._done} of {self._epochs}, loss {self._loss:.6g}"

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._plain:
            sys.stderr.write(f"{chr(13) if sys.stderr.isatty() else ''}{self._line()}\n")
            sys.stderr.flush()
