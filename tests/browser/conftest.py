"""A served console and Debian's chromium: pages as people see them, asked about outside requests and accessibility."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from console.app import make_console
from tests.conftest import free_port
from tests.console.conftest import county, key_folder
from tests.console.world import PASSWORD, County

__all__ = ["county", "key_folder"]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Serious and critical faults by the rules of WCAG 2.1 A and AA; between the themes only colours differ.
RULES = {
    "light": {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]},
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Site:
    """The console on a port, and what browsers asked for that was not on it."""

    county: County
    url: str
    browser: Browser
    outside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def enter(self, name: str, width: int = 1280) -> Visitor:
        """A new browser profile, logged in through the log-in page."""
        context = self.browser.new_context(viewport={"width": width, "height": 900}, locale="zh-CN")
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: self._asked(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        visitor = Visitor(self, page)
        visitor.go("/")
        page.fill("#id", name)
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{self.url}/")
        return visitor

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.outside.append(url)


# What reaches over the edge, innermost last, without what scrolls inside its own box.
_STICKS_OUT = """[...document.querySelectorAll("main *")]
  .filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll"))
  .slice(-6).map(e => e.outerHTML.slice(0, 120))"""


@dataclass
class Visitor:
    """One person before the screen."""

    site: Site
    page: Page

    def go(self, path: str) -> None:
        answer = self.page.goto(f"{self.site.url}{path}")
        assert answer is not None and answer.status < 400, (path, answer and answer.status)
        self.look()

    def look(self) -> None:
        """Axe in both themes, and nothing wider than the window but inside its own card."""
        for theme, rules in RULES.items():
            self.page.emulate_media(color_scheme=theme)
            found = Axe().run(self.page, options=rules).response["violations"]
            grave = [each for each in found if each["impact"] in ("serious", "critical")]
            assert not grave, (
                self.page.url,
                theme,
                [
                    (each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"])
                    for each in grave
                ],
            )
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, (
            f"{self.page.url} is {wide} px wider than the window: {self.page.evaluate(_STICKS_OUT)}"
        )

    def press(self, name: str, within: str = "main", exact: bool = True) -> None:
        """Press the button of that name and look at the page that comes."""
        self.page.locator(within).get_by_role("button", name=name, exact=exact).first.click()
        self.page.wait_for_load_state()
        self.look()

    def access_key(self, key: str) -> None:
        """Alt and a key, as a person's keyboard sends them (playwright's own leaves the letter out)."""
        wire = self.page.context.new_cdp_session(self.page)
        told = {
            "modifiers": 1,
            "key": key,
            "code": f"Key{key.upper()}",
            "windowsVirtualKeyCode": ord(key.upper()),
        }
        wire.send("Input.dispatchKeyEvent", {"type": "keyDown", "unmodifiedText": key, "text": key, **told})
        wire.send("Input.dispatchKeyEvent", {"type": "keyUp", **told})

    def unfold(self, title: str) -> None:
        self.page.locator("summary", has_text=title).first.click()

    def notice(self) -> str:
        return self.page.locator("p.notice[role=status]").inner_text()


@pytest.fixture
def site(county: County, chromium: Browser) -> Iterator[Site]:
    port = free_port()
    config = uvicorn.Config(make_console(county.hub), host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    found = Site(county, f"http://127.0.0.1:{port}", chromium)
    yield found
    for context in list(chromium.contexts):
        context.close()
    server.should_exit = True
    thread.join(10)
    assert not found.outside, found.outside
    assert not found.faults, found.faults
