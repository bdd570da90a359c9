"""When a payment may be executed: cut-off, night pause, hours of large sums (contract, "Limits, windows, time")."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sandbox.bank.profile import BANK_CODE, LARGE_FEN

CUT_OFF = time(22, 30)
PAUSE_FROM, PAUSE_TO = time(23, 30), time(0, 30)
LARGE_FROM, LARGE_TO = time(8, 30), time(17, 15)


def earliest(now: datetime, requested_on: str, fen: int, payee_bank: str) -> datetime:
    """The first moment (Beijing time) at which this payment may be executed.

    A requested date in the past means today (habit 14). Working days are Monday to Friday here: the bank's holidays
    are not part of its contract.
    """
    at = now
    if requested_on > at.date().isoformat():
        at = datetime.combine(date.fromisoformat(requested_on), PAUSE_TO, at.tzinfo)
    if at.time() >= CUT_OFF:
        at = datetime.combine(at.date() + timedelta(days=1), time(0), at.tzinfo)
    if at.time() < PAUSE_TO and payee_bank[:8] != BANK_CODE[:8]:
        at = datetime.combine(at.date(), PAUSE_TO, at.tzinfo)
    return _large(at) if fen >= LARGE_FEN else at


def _large(at: datetime) -> datetime:
    for _ in range(10):
        if at.weekday() < 5 and at.time() < LARGE_FROM:
            return datetime.combine(at.date(), LARGE_FROM, at.tzinfo)
        if at.weekday() < 5 and at.time() <= LARGE_TO:
            return at
        at = datetime.combine(at.date() + timedelta(days=1), time(0), at.tzinfo)
    raise AssertionError("ten days without a working day")
