"""What holds of every page: tables as in the code, links that lead somewhere, both READMEs alike, nothing private."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from escrow import all_rails
from foundation.settings import ROOT
from hub import choreography, jobs
from tests.docs import pages, tables

pytestmark = pytest.mark.docs
EVERY_PAGE = pages.pages()
# A home, a temporary folder, an address of a package index: of some machine, not of the project.
PRIVATE = re.compile(
    r"/(?:home|root|work|tmp|Users|usr/local)/|[A-Z]:\\|index-url|/simple/|artifactory|nexus", re.IGNORECASE
)
OUTSIDE = re.compile(r"https?://(?!127\.0\.0\.1)[^\s)>\"'`]+")
# Names of namespaces are not addresses that anybody opens.
NAMESPACES = (
    "http://tempuri.org/",
    "http://www.w3.org/",
    "http://schemas.xmlsoap.org/",
    "http://docs.oasis-open.org/",
)
MOST_LINES = 300


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_tables_are_those_of_the_code() -> None:
    differing = sorted(tables.stale())
    assert not differing, f"python -m tests.docs.tables --write brings up to date: {', '.join(differing)}"


@pytest.mark.parametrize("page", EVERY_PAGE, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in pages.links(text):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{ids(page)}: {link}"
        assert target.is_relative_to(ROOT), f"{ids(page)}: {link} leads out of the project"
        if anchor and target.suffix == ".md":
            assert anchor in pages.anchors(target.read_text(encoding="utf-8")), f"{ids(page)}: {link}"


@pytest.mark.parametrize("page", EVERY_PAGE, ids=ids)
def test_nothing_of_a_machine_and_no_address_outside(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not PRIVATE.findall(text)
    assert not [url for url in OUTSIDE.findall(text) if not url.startswith(NAMESPACES)]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=ids)
def test_a_page_is_short_enough_to_be_read(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [pages.READMES[0]]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in pages.links(page.read_text(encoding="utf-8")):
            target = (page.parent / unquote(link).partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists():
                waiting.append(target)
    assert sorted(map(ids, set(EVERY_PAGE) - seen)) == []


def test_both_readmes_say_the_same() -> None:
    english, chinese = (page.read_text(encoding="utf-8") for page in pages.READMES)
    assert [level for level, _ in pages.headings(english)] == [level for level, _ in pages.headings(chinese)]
    one, other = ([(block.body, block.reason) for block in pages.blocks(page)] for page in pages.READMES)
    assert one == other
    assert sorted(map(_plain, pages.links(english))) == sorted(map(_plain, pages.links(chinese)))


def _plain(link: str) -> str:
    return link.replace("README.zh-CN.md", "README.md")


def test_every_alarm_is_explained() -> None:
    text = (ROOT / "docs" / "operator" / "alarms.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([A-Za-z_]+)` \|", text, re.MULTILINE))
    assert explained == alarm_kinds()


def alarm_kinds() -> set[str]:
    """The kinds that calls of ``raise_alarm`` name, and those that a rail's manifest names."""
    found = {code for rail in all_rails().values() for code in rail.manifest.get("alarms", ())}
    for path in (ROOT / "hub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "raise_alarm":
                kind = node.args[1]
                if isinstance(kind, ast.Constant):
                    found.add(str(kind.value))
    # An action that names its alarm after the event it was called for.
    for event, actions in choreography.ACTIONS.items():
        if any(
            'raise_alarm(\n        uow, event["event"].lower()' in inspect.getsource(each) for each in actions
        ):
            found.add(event.lower())
    return found


def test_words_of_the_tour_stand_on_the_screen() -> None:
    told = (ROOT / "docs" / "officer" / "README.md").read_text(encoding="utf-8")
    words = {
        word
        for group in re.findall(r"\(([\u4e00-\u9fff、 →]+)\)", told)
        for word in re.split("[、 →]+", group)
    }
    shown = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "console").rglob("*")
        if path.suffix in (".html", ".csv", ".py")
    )
    assert sorted(word for word in words if word not in shown) == []


def test_every_job_is_named() -> None:
    text = (ROOT / "docs" / "operator" / "README.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("Jobs by hand"))
    assert set(re.findall(r"`([a-z-]+)`", line)) == set(jobs.BY_NAME)


def test_every_setting_is_explained() -> None:
    text = (ROOT / "docs" / "operator" / "README.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(CONCORD_[A-Z_]+)` \|", text, re.MULTILINE))
    assert explained == settings_read() - INNER


# What the supervisor tells its own processes; people set none of these.
INNER = {"CONCORD_INSTANCE", "CONCORD_CHILD", "CONCORD_CONSOLE_URL", "CONCORD_PORT_BASE"}


def settings_read() -> set[str]:
    """Environment variables that the code names."""
    found: set[str] = set()
    for room in ("foundation", "hub", "connectors", "escrow", "dags", "console", "exchange_api"):
        for path in [*(ROOT / room).rglob("*.py"), *(ROOT / room).rglob("*.sh")]:
            found |= set(re.findall(r"\bCONCORD_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    return found
