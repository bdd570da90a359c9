"""The second bank's drop folder: a file still being written waits, one taken twice is harmless, a wrong one is set aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

import escrow
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from hub import drop_folder
from hub.pipeline import Hub
from sandbox.city_bank.files import put
from sandbox.city_bank.service import Bank
from tests.rails.city_bank_side import ACCOUNT, DAY, MORE, RAIL, keys_in, running_bank, some_day


@pytest.fixture
def bank() -> Iterator[Bank]:
    with running_bank() as found:
        yield found


@pytest.fixture
def hub(engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("CONCORD_RAIL_PATH", str(MORE))
    escrow.all_rails.cache_clear()
    yield Hub(
        engine, keys_in(tmp_path / "keys"), Settings(database_url, "", tmp_path / "var", 8600, "sandbox")
    )
    escrow.all_rails.cache_clear()


def test_the_folder_is_taken_from_safely(hub: Hub, bank: Bank) -> None:
    folder = drop_folder.folder_of(hub, RAIL)
    folder.mkdir(parents=True)
    some_day(bank, Random(3), 5)
    path = put(folder, bank.book, ACCOUNT, DAY)
    mark, content = path.with_suffix(".ok"), path.read_bytes()
    mark.unlink()
    path.write_bytes(content[:700])
    unmarked = drop_folder.take_all(hub)
    assert unmarked == {RAIL: {"results": {}, "waiting": [path.name]}}, "no mark: it is still being written"
    mark.write_text(str(len(content)))
    assert drop_folder.take_all(hub)[RAIL]["waiting"] == [path.name], "the mark names another size"
    path.write_bytes(content)
    assert drop_folder.take_all(hub)[RAIL] == {"results": {"accepted": 1}, "waiting": []}
    assert [each.name for each in (folder / "taken").iterdir()] == [path.name] and not mark.exists()
    for name in (path.name, "again.dz"):
        (folder / name).write_bytes(content)
        (folder / name).with_suffix(".ok").write_text(str(len(content)))
    assert drop_folder.take_all(hub)[RAIL]["results"] == {"duplicate": 2}, "taken twice is harmless"
    bad = content.replace(b"T0000006", b"T0000007").replace(b"T0000005", b"T0000009")
    (folder / "bad.dz").write_bytes(bad)
    (folder / "bad.ok").write_text(str(len(bad)))
    (folder / "link.dz").symlink_to(folder / "taken" / path.name)
    (folder / "link.ok").write_text(str(len(content)))
    done = drop_folder.take_all(hub)[RAIL]
    assert done["waiting"] == ["link.dz"] and (folder / "refused" / "bad.dz").exists(), done
    with unit_of_work(hub.engine) as uow:
        lines = uow.scalar("SELECT count(*) FROM escrow.statement_line WHERE rail = :r", r=RAIL)
        inbox = uow.all("SELECT state FROM exchange.inbox WHERE partner = :r", r=RAIL)
        states = {row["state"] for row in inbox}
    assert lines == 5 and {"APPLIED", "DUPLICATE"} <= states
