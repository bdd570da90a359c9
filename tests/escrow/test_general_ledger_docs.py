"""docs/ledger.md: its example runs as it stands, its names are there."""

from __future__ import annotations

import re

import pytest

from escrow import ledger
from foundation.settings import ROOT
from foundation.unit_of_work import UnitOfWork

PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def test_the_example_runs(uow: UnitOfWork) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/ledger.md", "exec"), {"conn": uow})


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+)\(conn", PAGE))))
def test_a_function_that_is_named_is_there(name: str) -> None:
    assert name in ledger.__all__


def test_codes_that_are_named_are_codes() -> None:
    codes = {*ledger.ACCOUNT_CODES.values(), *ledger.TRANSFER_CODES.values()}
    named = set(
        re.findall(
            r"`((?:exists|exceeds|overflows|imported|debit|credit|linked|pending|id|reserved)_\w+)`", PAGE
        )
    )
    assert named - {"reserved_field"} <= codes | {"reserved_field"}
    assert {"exists_with_different_flags", "imported_not_supported", "debit_account_frozen"} <= named
