"""Logs of the API without personal data: of an error its type and where it was raised, never its text.

An error's text may quote a row, a message or a parameter.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from types import TracebackType

FRAMES = 8
ROOT = Path(__file__).resolve().parent.parent
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def shown(error: BaseException) -> str:
    """An error in one line: its type, the database's code where it has one, and our places it came through."""
    code = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _ours(frame.filename)][-FRAMES:]
    inner = frames[-1:] if frames and not _ours(frames[-1].filename) else []
    places = " < ".join(
        f"{_short(each.filename)}:{each.lineno} {each.name}" for each in reversed([*ours, *inner])
    )
    return f"{type(error).__name__} {code} at {places}".replace("  ", " ")


def _ours(name: str) -> bool:
    path = Path(name)
    return path.is_relative_to(ROOT) and not path.relative_to(ROOT).parts[0].startswith(".")


def _short(name: str) -> str:
    return str(Path(name).relative_to(ROOT)) if _ours(name) else "/".join(Path(name).parts[-2:])


class QuietFormatter(logging.Formatter):
    """Writes an exception by ``shown``, with the errors it came from."""

    def formatException(self, ei: ExcInfo) -> str:
        """Type and places only."""
        lines = []
        error = ei[1]
        while error is not None and len(lines) < 5:
            lines.append(f"  {shown(error)}")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def set_up() -> None:
    """Let every logger of this process write this way to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(QuietFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
