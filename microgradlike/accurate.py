"""Careful algorithms: what floats.py answers in several steps, so that one rounding error remains. No rules here."""

from __future__ import annotations
