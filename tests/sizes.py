"""How long the random tests run: MICROGRADLIKE_FUZZ=50 makes them 50 times as long, for a nightly run by hand."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("MICROGRADLIKE_FUZZ", "1"))
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def examples(count: int, **options: Any) -> Any:
    """Hypothesis settings for `count` examples, times the factor. No deadline: no test here is timed."""
    options.setdefault("suppress_health_check", SLOW_TO_DRAW)
    return settings(max_examples=count * FACTOR, deadline=None, **options)
