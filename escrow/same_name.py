"""Whether a name on a statement may be one that we know."""

from __future__ import annotations

from schemas.identifiers import normalise_name


def same_name(shown: str, known: str) -> bool:
    """Whether a name on a statement may be this one: equal, or masked with the same visible part."""
    told, ours = normalise_name(shown), normalise_name(known)
    visible = told.split("*")[0]
    return told == ours or ("*" in told and bool(visible) and ours.startswith(visible))
