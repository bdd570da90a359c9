"""Due dates, default, judicial confirmation and enforcement: what time and courts do to a case (escrow.md)."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, deposits, ledger, stops
from escrow.cases import find_case
from escrow.machines import JUDICIAL_CONFIRMATION, SHADOW
from escrow.results import Event, Result, beijing_day, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork

REMIND_BEFORE_DUE = timedelta(days=3)  # deadlines ES11
CONFIRMATION_LIMIT = timedelta(days=30)  # People's Mediation Law 33; deadlines PM01
CONFIRMATION_REMINDERS = (20, 27)  # days after the agreement's effect; deadlines ES12, PM01
FREEZE_WARNINGS = (30, 10)  # days before a freeze's stated end; deadlines ES01
_WATCHED = "('OPEN', 'PART_FUNDED', 'FUNDED', 'RELEASING', 'SUSPENDED')"


def watch_instalments(uow: UnitOfWork, limit: int = 2000) -> Result:
    """What the date of today (Beijing) makes of instalments: reminders, OVERDUE when the due day has passed,
    DEFAULTED when grace has ended. Run as often as you like: each thing is said once."""
    today = beijing_day(uow.now)
    rows = uow.all(
        "SELECT DISTINCT i.case_id FROM escrow.instalment i JOIN escrow.escrow_case c ON c.id = i.case_id AND c.version = i.version"
        f" WHERE i.state IN ('DUE', 'PART_PAID', 'OVERDUE') AND i.due_on <= :soon AND c.void_at IS NULL AND c.state IN {_WATCHED}"
        " ORDER BY i.case_id LIMIT :limit",
        soon=today + REMIND_BEFORE_DUE, limit=limit,
    )  # fmt: skip
    result = Result()
    for row in rows:
        case = ledger.lock_case(uow, row["case_id"])
        for instalment in case_state.current_instalments(uow, row["case_id"]):
            result.events += _watch_one(uow, case, instalment, today)
    result.add(_watch_confirmation(uow, today))
    result.add(_watch_freezes(uow, today))
    result.add(deposits.watch(uow))
    return result


def _watch_one(uow: UnitOfWork, case: RowMapping, row: RowMapping, today: date) -> list[Event]:
    state, events = row["state"], []
    if uow.scalar("SELECT state FROM escrow.escrow_case WHERE id = :id", id=case["id"]) in SHADOW:
        return []  # a default before this one: what is left fell due with it, or is the court's matter
    left = int(row["fen"]) - int(row["paid_fen"])
    if state in ("DUE", "PART_PAID") and today <= row["due_on"] <= today + REMIND_BEFORE_DUE:
        events += case_state.remind(
            uow,
            case["id"],
            "INSTALMENT_DUE_SOON",
            str(row["number"]),
            number=row["number"],
            due_on=row["due_on"],
            left_fen=left,
        )
    if state in ("DUE", "PART_PAID") and today > row["due_on"]:
        state = "OVERDUE"
        _set_instalment(uow, row["id"], state)
        events.append(case_state.event(uow, case["id"], "INSTALMENT_OVERDUE", number=row["number"], left_fen=left,
                                       grace_until=row["due_on"] + timedelta(days=case["grace_days"])))  # fmt: skip
    if state == "OVERDUE" and today > row["due_on"] + timedelta(days=case["grace_days"]):
        _set_instalment(uow, row["id"], "DEFAULTED")
        events += _default(uow, case, row)
    return events


def _set_instalment(uow: UnitOfWork, instalment: UUID, state: str) -> None:
    uow.execute("UPDATE escrow.instalment SET state = :state WHERE id = :id", state=state, id=instalment)


def _default(uow: UnitOfWork, case: RowMapping, row: RowMapping) -> list[Event]:
    """The default of one instalment; where the agreement says so, the rest falls due with it."""
    if case["acceleration"]:
        uow.execute(
            "UPDATE escrow.instalment SET accelerated_at = :at WHERE case_id = :case AND version = :version"
            " AND state IN ('DUE', 'PART_PAID', 'OVERDUE')",
            at=uow.now, case=case["id"], version=case["version"],
        )  # fmt: skip
    unpaid = int(
        uow.scalar(
            "SELECT coalesce(sum(fen - paid_fen), 0) FROM escrow.instalment WHERE case_id = :case AND version = :version"
            " AND state NOT IN ('PAID', 'WAIVED') AND (state = 'DEFAULTED' OR accelerated_at IS NOT NULL)",
            case=case["id"], version=case["version"],
        )
    )  # fmt: skip
    events = case_state.move_if_allowed(uow, case["id"], "default")
    defaulted = case_state.event(
        uow, case["id"], "ESCROW_DEFAULTED", number=row["number"], unpaid_fen=unpaid, accelerated=case["acceleration"],
        confirmation=case["confirmation"],
        # Confirmed and unpaid: enforcement within two years; unconfirmed: papers for a suit.
        remedy="ENFORCEMENT" if case["confirmation"] == "CONFIRMED" else "SUIT",
    )  # fmt: skip
    return [defaulted, *events]


def _watch_confirmation(uow: UnitOfWork, today: date) -> Result:
    """Remind of the joint application at days 20 and 27; after day 30 it is too late."""
    result = Result()
    rows = uow.all(
        "SELECT id, signed_on, confirmation FROM escrow.escrow_case WHERE confirmation = 'NONE' AND void_at IS NULL"
        " AND needs_confirmation AND signed_on <= :day ORDER BY id LIMIT 2000",
        day=today - timedelta(days=CONFIRMATION_REMINDERS[0]),
    )
    for row in rows:
        for day in CONFIRMATION_REMINDERS:
            if row["signed_on"] + timedelta(days=day) <= today <= row["signed_on"] + CONFIRMATION_LIMIT:
                result.events += case_state.remind(uow, row["id"], "CONFIRMATION_REMINDER", str(day), day=day)
        if today > row["signed_on"] + CONFIRMATION_LIMIT:
            ledger.lock_case(uow, row["id"])
            uow.execute(
                "UPDATE escrow.escrow_case SET confirmation = 'LATE' WHERE id = :id AND confirmation = 'NONE'",
                id=row["id"],
            )
            result.events.append(case_state.event(uow, row["id"], "CONFIRMATION_LATE"))
    return result


def _watch_freezes(uow: UnitOfWork, today: date) -> Result:
    """Warn before a freeze's stated end and when it has passed; the money stays frozen until a document lifts it."""
    result = Result()
    rows = uow.all(
        "SELECT id, case_id, document_no, until_on FROM escrow.freeze WHERE state = 'ACTIVE' AND until_on <= :day ORDER BY id LIMIT 2000",
        day=today + timedelta(days=FREEZE_WARNINGS[0]),
    )
    for row in rows:
        until, no = row["until_on"], row["document_no"]
        due = [days for days in FREEZE_WARNINGS if until - timedelta(days=days) <= today <= until]
        for days in due:
            result.events += case_state.remind(
                uow, row["case_id"], "FREEZE_ENDS_SOON", f"{no}/{until}/{days}", document_no=no, until=until
            )
        if today > until:
            result.events += case_state.remind(
                uow, row["case_id"], "FREEZE_END_PASSED", f"{no}/{until}/passed", document_no=no, until=until
            )
    return result


def waive_instalment(uow: UnitOfWork, case: UUID | str, number: int, document: str) -> Result:
    """The payee waived an instalment in writing. Raises Refused DOCUMENT_REQUIRED, ILLEGAL_STATE, NOT_FOUND."""
    need_role(uow, "confirm")
    case_id = find_case(uow, case)
    ledger.lock_case(uow, case_id)
    row = next(
        (each for each in case_state.current_instalments(uow, case_id) if each["number"] == number), None
    )
    if row is None:
        raise refuse("NOT_FOUND", "instalment", number)
    if row["state"] not in ("DUE", "PART_PAID", "OVERDUE", "DEFAULTED"):
        raise refuse("ILLEGAL_STATE", "instalment.state", row["state"], "an unpaid instalment")
    paper = said(document, "document", "DOCUMENT_REQUIRED", "the payee's signed waiver")
    uow.execute(
        "UPDATE escrow.instalment SET state = 'WAIVED', waiver = :paper WHERE id = :id",
        paper=paper,
        id=row["id"],
    )
    return Result(
        [case_state.event(uow, case_id, "INSTALMENT_WAIVED", number=number, document=paper)], case_id
    )


def resume(uow: UnitOfWork, case: UUID | str, reason: str) -> Result:
    """A person takes a suspended case, or one whose default was cured, back to where its money puts it.

    Late money then counts as paid in. Raises Refused ILLEGAL_STATE, RELEASES_STOPPED while a stop is open.
    """
    need_role(uow, "confirm")
    case_id = find_case(uow, case)
    row = ledger.lock_case(uow, case_id)
    said(reason, "reason")
    if stops.blocking(uow, case_id, "") is not None:
        raise refuse("RELEASES_STOPPED", "stop", stops.blocking(uow, case_id, ""))
    if row["state"] == "DEFAULTED":
        uow.execute("UPDATE escrow.escrow_case SET late_fen = 0 WHERE id = :id", id=case_id)
        for each in case_state.current_instalments(uow, case_id):
            if each["state"] == "DEFAULTED" and _covered(uow, case_id, each):
                uow.execute(
                    "UPDATE escrow.instalment SET state = 'PAID', paid_fen = fen WHERE id = :id",
                    id=each["id"],
                )
    events = case_state.move(uow, case_id, "resume")
    events += case_state.allocate(uow, case_id)
    return Result([case_state.event(uow, case_id, "ESCROW_RESUMED", reason=reason), *events], case_id)


def _covered(uow: UnitOfWork, case_id: UUID, instalment: RowMapping) -> bool:
    f = case_state.figures(uow, case_id)
    before = int(
        uow.scalar(
            "SELECT coalesce(sum(fen), 0) FROM escrow.instalment WHERE case_id = :case AND version = :version"
            " AND (due_on, number) <= (:due_on, :number) AND state <> 'WAIVED'",
            case=case_id, version=instalment["version"], due_on=instalment["due_on"], number=instalment["number"],
        )
    )  # fmt: skip
    return int(f["balance_fen"]) + int(f["released_fen"]) >= before


def confirmation_applied(uow: UnitOfWork, case: UUID | str) -> Result:
    """Both parties asked the court together to confirm the agreement."""
    return _confirm(uow, find_case(uow, case), "apply")


def confirmation_result(
    uow: UnitOfWork, case: UUID | str, result: str, *, amount_fen: int | None = None
) -> Result:
    """The court's answer: CONFIRMED, REFUSED, WITHDRAWN or REVOKED.

    Refused or revoked: releases wait for a person (stop, RELEASES_HELD). Confirmed for another sum than agreed:
    releases wait as well. Raises Refused CODE_UNKNOWN.
    """
    events = {"CONFIRMED": "confirm", "REFUSED": "refuse", "WITHDRAWN": "withdraw", "REVOKED": "revoke"}
    if result not in events:
        raise refuse("CODE_UNKNOWN", "result", result, ", ".join(events))
    case_id = find_case(uow, case)
    row = ledger.lock_case(uow, case_id)
    told = _confirm(uow, case_id, events[result])
    if result in ("REFUSED", "REVOKED"):
        told.add(stops.place(uow, case_id, "CONFIRMATION_REFUSED", "RELEASES_HELD", "司法确认未获确认"))
    if result == "CONFIRMED":
        told.add(stops.end(uow, case_id, "CONFIRMATION_REFUSED", "司法确认"))
        if amount_fen is not None and amount_fen != row["agreed_fen"]:
            told.add(
                stops.place(
                    uow, case_id, "CONFIRMED_SUM", "RELEASES_HELD", f"确认金额 {amount_fen} 分与协议金额不符"
                )
            )
    return told


def _confirm(uow: UnitOfWork, case_id: UUID, event: str) -> Result:
    row = ledger.lock_case(uow, case_id)
    if not JUDICIAL_CONFIRMATION.allows(row["confirmation"], event):
        return Result(id=case_id)
    after = JUDICIAL_CONFIRMATION.next(row["confirmation"], event)
    uow.execute("UPDATE escrow.escrow_case SET confirmation = :after WHERE id = :id", after=after, id=case_id)
    return Result(
        [case_state.event(uow, case_id, "CONFIRMATION_CHANGED", before=row["confirmation"], after=after)],
        case_id,
    )


def enforcement_filed(uow: UnitOfWork, case: UUID | str) -> Result:
    """A court told that enforcement was asked for: from now on money moves only by a person's decision."""
    return _shadow(uow, find_case(uow, case), "enforcement_filed", "ENFORCEMENT_FILED")


def enforced(uow: UnitOfWork, case: UUID | str) -> Result:
    """A court told that enforcement was carried out."""
    return _shadow(uow, find_case(uow, case), "enforced", "ENFORCED")


def _shadow(uow: UnitOfWork, case_id: UUID, move: str, name: str) -> Result:
    ledger.lock_case(uow, case_id)
    result = Result([case_state.event(uow, case_id, name)], case_id)
    for order in uow.all(
        "SELECT id FROM escrow.payment_order WHERE case_id = :case AND state IN ('DRAFTED', 'CHECKED', 'RELEASED') AND decision = ''",
        case=case_id,
    ):
        result.events += stops.halt(uow, order["id"], "已申请强制执行，付款须经决定")
    result.events += case_state.move_if_allowed(uow, case_id, move)
    return result
