"""The review of links in a real browser: five pairs by keys without a page load, one answer taken back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from foundation.unit_of_work import unit_of_work
from tests.browser.conftest import Site
from tests.console.link_pairs import pairs

pytestmark = pytest.mark.browser


def test_five_pairs_by_keys(site: Site) -> None:
    pairs(site.county, 5)
    reviewer = site.enter("reviewer1")
    reviewer.go("/links")
    page, loads = reviewer.page, []
    page.on("framenavigated", lambda frame: loads.append(frame.url))

    def before() -> str:
        found = page.locator("[data-card]").get_attribute("data-card")
        assert found
        return found

    def key(name: str) -> None:
        """Press a key and wait until another pair stands there."""
        old = before()
        page.keyboard.press(name)
        page.locator(f"[data-card]:not([data-card='{old}'])").wait_for()

    first = before()
    key("j")
    key("k")
    assert before() == first, "moving decides nothing"
    page.keyboard.press("?")
    assert page.locator("#keys dl").is_visible()
    page.keyboard.press("r")
    page.keyboard.type("you never know")
    page.keyboard.press("Escape")
    assert before() == first, "letters of a reason are no keys"
    for name in ("y", "n", "u", "y"):
        key(name)
    last = before()
    page.keyboard.press("z")
    expect(page.locator("#queue [data-said]")).to_have_count(3)
    page.locator(f"[data-card]:not([data-card='{last}'])").wait_for()
    expect(page.locator("#said")).to_contain_text("恢复原状")
    assert not loads, "no page was loaded"
    reviewer.look()
    key("n")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("/links$"))
    expect(page.locator("#queue li")).to_have_count(1)
    with unit_of_work(site.county.hub.engine) as uow:
        rows = uow.all(
            "SELECT verdict, undone_at IS NULL AS holds, count(*) AS n FROM registry.link_decision GROUP BY 1, 2"
        )
        reasons = {
            row["reason"]
            for row in uow.all("SELECT reason FROM registry.link_decision WHERE verdict = 'SAME'")
        }
    assert {(row["verdict"], row["holds"]): row["n"] for row in rows} == {
        ("SAME", True): 1, ("SAME", False): 1, ("DIFFERENT", True): 3
    }  # fmt: skip
    assert "you never know" in reasons
    reviewer.go("/links/estimates")
