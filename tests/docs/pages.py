"""The project's pages as the tests read them: headings, links, shell blocks, generated tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.platform.tree import ROOT

READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
# Why a block of commands may be left out of the tests; nothing else is a reason.
REASONS = (
    "starts the whole system",
    "needs Airflow",
    "needs the partner's own network",
    "needs files that the partner sends",
)
NOT_RUN = re.compile(r"<!-- not run: (.*?) -->")
SHOWS = re.compile(r"<!-- shows: (.*?) -->")
EXIT = re.compile(r"<!-- exit: (\d+) -->")
_FENCE = re.compile(r"^(?P<notes>(?:<!--[^\n]*-->\n)*)```sh\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_TABLE = re.compile(
    r"(?P<begin><!-- table: (?P<name>[a-z0-9-]+) -->\n)(?P<body>.*?)(?P<end><!-- end of table -->)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of shell commands. ``reason``: why it is not run, "" when it is.

    ``shows``: text that its output must contain; ``exit``: its exit code.
    """

    page: Path
    line: int
    body: str
    reason: str
    shows: tuple[str, ...]
    exit: int

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Both READMEs and everything below docs/."""
    return [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The page's shell blocks, in order, each with what its comments say of it."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        notes = found["notes"]
        reason = NOT_RUN.search(notes)
        code = EXIT.search(notes)
        yield Block(
            page,
            text.count("\n", 0, found.start("body")),
            found["body"],
            reason[1] if reason else "",
            tuple(SHOWS.findall(notes)),
            int(code[1]) if code else 0,
        )


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _ANY_FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each heading."""
    return [(len(marks), words.strip()) for marks, words in _HEADING.findall(prose(text))]


def anchors(text: str) -> set[str]:
    """The anchors that readers of Markdown give to headings."""
    found = set()
    for _, words in headings(text):
        plain = re.sub(r"[^\w\- ]", "", words.replace("`", "").lower())
        found.add(plain.replace(" ", "-"))
    return found


def links(text: str) -> list[str]:
    """Targets of links and pictures."""
    return [first or second for first, second in _LINK.findall(prose(text))]


def tables(text: str) -> dict[str, str]:
    """Generated tables of a page by name."""
    return {found["name"]: found["body"] for found in _TABLE.finditer(text)}


def with_tables(text: str, made: dict[str, str]) -> str:
    """The page's text with its tables brought up to date."""
    return _TABLE.sub(lambda found: found["begin"] + made[found["name"]] + found["end"], text)
