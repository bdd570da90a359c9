"""A statement file of any size: read as it comes, staged, and taken in sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from escrow.desk import RailDesk
from escrow.rails import Advice, StatementInfo, StatementLine
from escrow.results import Result, refuse
from escrow.statement_sets import take_items
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding


@dataclass
class _Told:
    """What the rail said at the end of the file."""

    advice: Advice = field(default_factory=lambda: Advice("nothing"))
    findings: list[Finding] = field(default_factory=list)


def take_statement_file(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, file: IO[bytes], *, source: str = ""
) -> Result:  # fmt: skip
    """Take all statements of a file, or none; see `statements.take_statements`. The same file again changes nothing.

    `file`: from its beginning; it is read once and never held whole. `source`: where the raw file lies. `data`: lines,
    how many of them were new, and the message's own id and type. Raises Refused NOT_FOUND for a rail that reads no
    such files, and what its `stream` raises for a file that cannot be read.
    """
    rail = desk.rail(rail_id)
    if rail.stream is None:
        raise refuse("NOT_FOUND", "rail", rail_id, "a rail that reads statement files")
    told = _Told()
    items = _listen(rail.stream(file, desk.context(uow, rail_id)), told)
    result = take_items(uow, desk, rail_id, items, source=source, told=told.findings)
    result.data |= {"message_id": told.advice.message_id, "message_type": told.advice.message_type}
    return result


def _listen(
    items: Iterable[StatementInfo | StatementLine | Advice], told: _Told
) -> Iterator[StatementInfo | StatementLine]:
    for item in items:
        if isinstance(item, Advice):
            told.advice = item
            told.findings += item.findings
        else:
            yield item
