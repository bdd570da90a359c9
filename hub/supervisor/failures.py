"""Why a copy does not come up, or is going down."""

from __future__ import annotations


class StartFailed(Exception):
    """A part did not come up; the text says which and why, with the last lines of its log."""


class Stopped(Exception):
    """The whole copy is being stopped."""
