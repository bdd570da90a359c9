"""Tables in the documents that are made from the code.

``python -m tests.docs.tables --write`` brings them up to date; the tests compare them. A page holds a table
between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.docs import (
    about_bugs,
    about_code,
    about_money,
    about_partners,
    about_running,
    about_sharing,
    pages,
)
from tests.platform.tree import ROOT

TABLES: dict[str, Callable[[], str]] = {
    **about_bugs.TABLES,
    **about_code.TABLES,
    **about_money.TABLES,
    **about_partners.TABLES,
    **about_running.TABLES,
    **about_sharing.TABLES,
}


def stale() -> dict[str, tuple[str, str]]:
    """Pages whose tables differ from the code: page → (text as it is, text as it must be)."""
    made: dict[str, str] = {}
    found = {}
    for page in pages.pages():
        text = page.read_text(encoding="utf-8")
        for name in pages.tables(text):
            if name not in TABLES:
                raise LookupError(f"{page.relative_to(ROOT)}: no table {name!r}; known: {', '.join(TABLES)}")
            if name not in made:
                made[name] = TABLES[name]()
        wanted = pages.with_tables(text, made)
        if wanted != text:
            found[str(page.relative_to(ROOT))] = (text, wanted)
    return found


def main() -> int:
    differing = stale()
    for name, (_, wanted) in differing.items():
        if "--write" in sys.argv:
            (ROOT / name).write_text(wanted, encoding="utf-8")
        print(f"{name}: {'brought up to date' if '--write' in sys.argv else 'differs from the code'}")
    return 0 if "--write" in sys.argv or not differing else 1


if __name__ == "__main__":
    raise SystemExit(main())
