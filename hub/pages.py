"""Pages and moments as answers to partners tell them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from schemas.findings import Finding, Refused

MOST_A_PAGE = 100


def moment(at: datetime) -> str:
    """A moment as answers tell it: UTC, microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_cursor(*parts: str) -> str:
    """A cursor: where a page ended, in a form that callers only hand back."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def read_cursor(text: str, parts: int) -> list[str]:
    """The parts of a cursor of ours; empty for the first page. Raises Refused: not one of ours."""
    if not text:
        return []
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\n")
        if (
            len(found) == parts
            and (parts == 1 or datetime.fromisoformat(found[0]))
            and int(found[-1]) < 2**63
        ):
            return found
    except ValueError:
        pass
    raise Refused(Finding("NOT_FOUND", "/cursor", text[:40], "next_cursor of the page before"))
