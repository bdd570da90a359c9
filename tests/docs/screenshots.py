"""Makes the console's pictures in docs/pictures from a copy that runs.

``python -m tests.docs.screenshots VAR_DIR``: the var folder of a copy in which the flagship story was played. The
pictures are not compared by a test: dates and fonts differ from one machine to the next.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.platform.tree import ROOT

PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
QUALITY = 55
SIZE = {"width": 1040, "height": 680}
# The flagship story's dispute, by the petition office's number, and its mediation number.
LETTER, MATTER = "XF33039920260591001", "瓯栖调〔2026〕云渡9101号"


def work(page: Page, url: str) -> None:
    page.goto(f"{url}/")


def disputes(page: Page, url: str) -> None:
    page.goto(f"{url}/disputes")


def dispute(page: Page, url: str) -> None:
    page.goto(f"{url}/disputes/{LETTER}")


def proposal(page: Page, url: str) -> None:
    page.goto(f"{url}/")
    page.locator("main a[href^='/proposals/']").first.click()


def escrow(page: Page, url: str) -> None:
    page.goto(f"{url}/escrow/of/{MATTER}")


def order(page: Page, url: str) -> None:
    escrow(page, url)
    page.locator("main a[href^='/escrow/orders/']").first.click()


def exchange(page: Page, url: str) -> None:
    page.goto(f"{url}/exchange")


SHOTS: dict[str, tuple[str, Callable[[Page, str], None]]] = {
    "console-work": ("supervisor1", work),
    "console-disputes": ("supervisor1", disputes),
    "console-dispute": ("supervisor1", dispute),
    "console-proposal": ("reviewer1", proposal),
    "console-escrow": ("releaser1", escrow),
    "console-order": ("releaser1", order),
    "console-exchange": ("operator1", exchange),
}


def main() -> int:
    var_dir = Path(sys.argv[1])
    url = json.loads((var_dir / "run" / "state.json").read_text(encoding="utf-8"))["urls"]["console"]
    logins = json.loads((var_dir / "run" / "logins.json").read_text(encoding="utf-8"))
    with sync_playwright() as playing:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playing.chromium.launch(executable_path=CHROMIUM, args=arguments)
        for name, (person, go) in SHOTS.items():
            _shoot(browser, url, person, logins[person], go, PICTURES / f"{name}.jpg")
        browser.close()
    return 0


def _shoot(
    browser: Browser, url: str, person: str, password: str, go: Callable[[Page, str], None], path: Path
) -> None:
    context = browser.new_context(viewport=SIZE, locale="zh-CN", color_scheme="light")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("input[name=id]", person)
    page.fill("input[type=password]", password)
    page.locator("main button").first.click()
    go(page, url)
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    print(f"{path.name}: {page.title()}, {path.stat().st_size // 1024} KiB")
    context.close()


if __name__ == "__main__":
    raise SystemExit(main())
