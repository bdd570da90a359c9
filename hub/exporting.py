"""Lists of disputes that leave as a file: what the person may see, marked in every row with who took it, when and for what."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from hashlib import sha256
from zoneinfo import ZoneInfo

import case_registry
from foundation.journal import disclose_many, journal
from foundation.unit_of_work import UnitOfWork
from schemas.money import Fen

MOST_ROWS = 2_000
PAGE = 200
BEIJING = ZoneInfo("Asia/Shanghai")
BASIS = "个人信息保护法 第13条第3项"
COLUMNS = (
    ("number", "编号 number"), ("title", "纠纷 dispute"), ("cause", "案由 cause"), ("stage", "阶段 stage"),
    ("holder", "责任单位 holder"), ("town", "镇街 town"), ("claimed_fen", "诉求（元） claimed (yuan)"),
    ("agreed_fen", "协议（元） agreed (yuan)"), ("flags", "标记 flags"), ("lamp", "时限 lamp"), ("grade", "等级 grade"),
    ("moved_at", "最近变动 last move"),
)  # fmt: skip
MARK = "水印 watermark"
# A cell that begins so is run as a formula by spreadsheets.
_RUNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Export:
    """A file that leaves. `number`: of this export, in every row and in the journal; `more`: there were further rows."""

    number: str
    content: bytes
    rows: int
    more: bool


def export_disputes(uow: UnitOfWork, filters: case_registry.Filters, reader: case_registry.Reader) -> Export:
    """The list as CSV (UTF-8 with mark), at most MOST_ROWS rows, each row watermarked.

    Every dispute in it is written down as disclosed to the person, and the file's digest into the journal: a copy that is
    found somewhere leads to who took it. Raises NotAllowed as `find_disputes` does.
    """
    rows: list[dict[str, object]] = []
    after = None
    while len(rows) < MOST_ROWS:
        page = case_registry.find_disputes(uow, filters, reader=reader, after=after, limit=PAGE)
        rows += page.rows
        after = page.next
        if after is None:
            break
    rows = rows[:MOST_ROWS]
    number = f"EXP-{uow.now.astimezone(BEIJING):%Y%m%d}-{uow.new_id().hex[-12:].upper()}"
    mark = f"{number} {uow.actor.id} {uow.now.astimezone(BEIJING):%Y-%m-%d %H:%M} {reader.purpose}"
    content = _file(rows, mark)
    disclose_many(
        uow, recipient=uow.actor.id, purpose=f"export {reader.purpose}", subjects=[str(row["number"]) for row in rows],
        fields=[name for name, _ in COLUMNS], basis=BASIS,
    )  # fmt: skip
    journal(uow, "exported", number, sha256(content).digest(), rows=len(rows), purpose=reader.purpose)
    return Export(number, content, len(rows), after is not None)


def headers(export: Export) -> dict[str, str]:
    """HTTP headers of the file; it is not to be kept on the way."""
    return {"Content-Disposition": f'attachment; filename="{export.number}.csv"', "Cache-Control": "no-store"}


def _file(rows: list[dict[str, object]], mark: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*(title for _, title in COLUMNS), MARK])
    for row in rows:
        writer.writerow([*(_cell(name, row[name]) for name, _ in COLUMNS), mark])
    if not rows:
        writer.writerow([*("" for _ in COLUMNS), mark])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name.endswith("_fen"):
        return Fen(int(str(value))).yuan_text()
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_RUNS) else text
