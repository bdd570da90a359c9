"""Writes the day's 对账文件 into the folder: the file first, its mark of readiness last."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sandbox.city_bank.book import Book, Booked

LENGTH = 250


def _text(value: str, width: int) -> bytes:
    """GB18030, cut between characters, blanks behind."""
    raw = b""
    for char in value:
        more = char.encode("gb18030")
        if len(raw) + len(more) > width:
            break
        raw += more
    return raw.ljust(width)


def _record(*parts: bytes) -> bytes:
    return b"".join(parts).ljust(LENGTH) + b"\r\n"


def _nought(value: int, width: int) -> bytes:
    return f"{value:0{width}d}".encode()


def _signed(value: int) -> bytes:
    return f"{value:+016d}".encode()


def day_file(book: Book, account: str, day: date, kind: str = "D") -> bytes:
    """The file of an account's day: D whole, R what was booked since the last file."""
    rows = [each for each in book.accounts.get(account, []) if each.day == day]
    before = book.balance(account, day)
    if kind == "R":
        told = book.written.get(account, 0)
        every = book.accounts.get(account, [])
        rows, before = every[told:], sum(each.fen for each in every[:told])
        book.written[account] = len(every)
    book.sequences[account, kind] = book.sequences.get((account, kind), 0) + 1
    came, went = [each.fen for each in rows if each.fen > 0], [-each.fen for each in rows if each.fen < 0]
    head = (b"H", _text("OQCITYBANK", 12), _text(account, 32), f"{day:%Y%m%d}".encode(),
            _nought(book.sequences[account, kind], 6), kind.encode(), _signed(before))  # fmt: skip
    tail = (b"T", _nought(len(rows), 7), _nought(len(came), 7), _nought(sum(came), 16), _nought(len(went), 7),
            _nought(sum(went), 16), _signed(before + sum(came) - sum(went)))  # fmt: skip
    lines = [_line(at, each) for at, each in enumerate(rows, start=1)]
    return _record(*head) + b"".join(lines) + _record(*tail)


def _line(at: int, row: Booked) -> bytes:
    day = f"{row.day:%Y%m%d}".encode()
    return _record(
        b"D", _nought(at, 7), day, day, b"C" if row.fen > 0 else b"D", _nought(abs(row.fen), 15),
        _text(row.reference, 24), _text(row.serial, 32), _text(row.account, 32), _text(row.name, 60),
        _text(row.text, 60), b"1" if row.returned else b"0",
    )  # fmt: skip


def put(folder: Path, book: Book, account: str, day: date, kind: str = "D") -> Path:
    """Put the file into the folder and mark it ready."""
    content = day_file(book, account, day, kind)
    path = folder / f"{account}_{day:%Y%m%d}_{kind}{book.sequences[account, kind]}.dz"
    path.write_bytes(content)
    path.with_suffix(".ok").write_text(str(len(content)))
    return path
