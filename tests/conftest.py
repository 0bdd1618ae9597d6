"""Settings of all tests: Hypothesis sets no deadline, for no test here is timed and machines are shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
