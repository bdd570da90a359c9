"""Tables in and out: CSV, Parquet and Excel, every value as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import openpyxl
import polars as pl

FORMATS = (".csv", ".parquet", ".xlsx")
MAX_SHEET_ROWS = 1_048_575


class BadTable(ValueError):
    """A file that is no table of the forms we read."""


def read_tables(paths: Sequence[Path]) -> pl.DataFrame:
    """One table of one or more files, below each other; a column that a file lacks is empty there.

    Raises BadTable, OSError.
    """
    frames = [_read(path) for path in paths]
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")


def _read(path: Path) -> pl.DataFrame:
    form = path.suffix.lower()
    try:
        if form == ".parquet":
            found = pl.read_parquet(path)
            return found.with_columns(pl.all().cast(pl.String))
        if form == ".xlsx":
            return _sheet(path)
        if form in (".csv", ".txt", ".tsv"):
            return _text(path, "\t" if form == ".tsv" else ",")
    except (pl.exceptions.PolarsError, UnicodeDecodeError, KeyError) as error:
        raise BadTable(f"{path.name}: not readable as {form}: {error}") from None
    raise BadTable(f"{path.name}: found {form or 'no ending'}, expected one of {', '.join(FORMATS)}")


def _text(path: Path, separator: str) -> pl.DataFrame:
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raw = raw.decode("utf-16").encode()
    else:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            raw = raw.decode("gb18030").encode()  # what Excel writes in China
    found = pl.read_csv(raw, infer_schema=False, separator=separator)
    return found.rename({name: name.strip().lstrip("\ufeff") for name in found.columns})


def _sheet(path: Path) -> pl.DataFrame:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        head = [str(cell or f"column {k + 1}").strip() for k, cell in enumerate(next(rows, ()))]
        body = [[_cell(cell) for cell in row[: len(head)]] for row in rows]
    finally:
        book.close()
    wide = [row + [""] * (len(head) - len(row)) for row in body]
    return pl.DataFrame(
        {name: [row[k] for row in wide] for k, name in enumerate(head)}, dict.fromkeys(head, pl.String)
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write by the file's ending. Raises BadTable, OSError."""
    form = path.suffix.lower()
    if form == ".parquet":
        frame.write_parquet(path)
    elif form == ".csv":
        frame.write_csv(path)
    elif form == ".xlsx":
        if frame.height > MAX_SHEET_ROWS:
            raise BadTable(f"{path.name}: {frame.height} rows, a sheet holds {MAX_SHEET_ROWS}")
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("linked")
        sheet.append(frame.columns)
        for row in frame.iter_rows():
            sheet.append(["" if cell is None else cell for cell in row])
        book.save(path)
    else:
        raise BadTable(f"{path.name}: found {form or 'no ending'}, expected one of {', '.join(FORMATS)}")
