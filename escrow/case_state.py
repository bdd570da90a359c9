"""The escrow's summary state: moved by its table only, on figures read under the case's lock."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow.machines import ESCROW, INSTALMENT
from escrow.results import Event, refuse
from foundation.unit_of_work import UnitOfWork


def figures(uow: UnitOfWork, case_id: UUID) -> RowMapping:
    """The figures of a case, in fen (view escrow.v_figures)."""
    row = uow.one("SELECT * FROM escrow.v_figures WHERE case_id = :id", id=case_id)
    assert row is not None
    return row


def event(uow: UnitOfWork, case_id: UUID | None, name: str, **more: Any) -> Event:
    """An event about a case, with what other rooms know it by."""
    found: Event = {"event": name, "case_id": case_id, "dispute": None, "mediation_number": None, **more}
    if case_id is not None:
        row = uow.one("SELECT dispute, mediation_number FROM escrow.escrow_case WHERE id = :id", id=case_id)
        if row is not None:
            found["dispute"], found["mediation_number"] = row["dispute"], row["mediation_number"]
    return found


def guards(uow: UnitOfWork, case_id: UUID) -> frozenset[str]:
    """The guards of the escrow table that hold now."""
    f = uow.one(
        "SELECT f.*, c.void_at IS NOT NULL AS void, EXISTS (SELECT 1 FROM escrow.payment_order o WHERE o.case_id = c.id"
        " AND o.purpose = 'REFUND' AND o.state IN ('DISPATCHING', 'SENT')) AS refunding"
        " FROM escrow.escrow_case c JOIN escrow.v_figures f ON f.case_id = c.id WHERE c.id = :id",
        id=case_id,
    )
    assert f is not None
    net = int(f["balance_fen"]) + int(f["released_fen"])
    agreed, balance, released = int(f["agreed_fen"]), int(f["balance_fen"]), int(f["released_fen"])
    still = int(f["in_transit_fen"]) == 0
    holds = {
        "funded_all": net >= agreed,
        "funded_some": net > 0,
        "paid_all": released >= agreed,
        "paid_some": released > 0 and balance > 0,
        "empty_short": balance == 0 and net < agreed,
        "back_full": still and released == 0 and net >= agreed,
        "back_part": still and released == 0 and 0 < net < agreed,
        "none_left": still and net == 0,
        "void_empty": bool(f["void"]) and balance == 0,
        "refunding": bool(f["refunding"]),
    }
    return frozenset(name for name, true in holds.items() if true)


def move(uow: UnitOfWork, case_id: UUID, name: str, *, decided: bool = False) -> list[Event]:
    """Move the escrow of a case on event `name`; returns [STATE_CHANGED] when it changed.

    Raises Refused ILLEGAL_STATE when the table has no such move; `decided`: a person gave a reason where the
    table demands one.
    """
    state = str(uow.scalar("SELECT state FROM escrow.escrow_case WHERE id = :id", id=case_id))
    holding = guards(uow, case_id) | ({"decided"} if decided else frozenset())
    if not ESCROW.allows(state, name):
        raise refuse("ILLEGAL_STATE", "escrow.state", state, f"a state that allows {name}")
    after = next_state(state, name, holding)
    if after is None:
        raise refuse(
            "CONDITION_OPEN", "decision", state, "a person's reason: money moves only by decision now"
        )
    return _set(uow, case_id, state, after)


def next_state(state: str, name: str, holding: frozenset[str]) -> str | None:
    """The next state by the table, None when its guards do not hold; KeyError never."""
    for each in ESCROW.moves:
        if each.state == state and each.event == name and (not each.guard or each.guard in holding):
            return each.next
    return None


def move_if_allowed(uow: UnitOfWork, case_id: UUID, name: str) -> list[Event]:
    """Like `move`, but leaves the state where the table has no such move."""
    state = str(uow.scalar("SELECT state FROM escrow.escrow_case WHERE id = :id", id=case_id))
    after = next_state(state, name, guards(uow, case_id))
    moved = [] if after is None else _set(uow, case_id, state, after)
    # A stop that came while money was in transit waited for the proof (`suspend`): its time is now.
    return [*moved, *suspend(uow, case_id)] if name == "proof" and _stopped(uow, case_id) else moved


def _stopped(uow: UnitOfWork, case_id: UUID) -> bool:
    """Whether all releases of the case, or of one payee, wait: a stop that names no sum is open."""
    return bool(
        uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM escrow.stop WHERE case_id = :id AND ended_at IS NULL AND amount_fen IS NULL)",
            id=case_id,
        )
    )


def suspend(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """Suspend a case, unless money is in transit (then the state follows the proof) or its table has no such move."""
    if int(figures(uow, case_id)["in_transit_fen"]) > 0:
        return []
    return move_if_allowed(uow, case_id, "suspend")


def _set(uow: UnitOfWork, case_id: UUID, state: str, after: str) -> list[Event]:
    if state == after:
        return []
    uow.execute("UPDATE escrow.escrow_case SET state = :after WHERE id = :id", after=after, id=case_id)
    events = [event(uow, case_id, "STATE_CHANGED", before=state, after=after)]
    if after == "COMPLETED":
        events.append(
            event(uow, case_id, "ESCROW_COMPLETED", released_fen=int(figures(uow, case_id)["released_fen"]))
        )
    if state == "COMPLETED":
        events.append(event(uow, case_id, "ESCROW_REOPENED", after=after))
    if after == "FUNDED":
        events.append(
            event(uow, case_id, "ESCROW_FUNDED", funded_fen=int(figures(uow, case_id)["funded_fen"]))
        )
    if after == "REFUNDED":
        events.append(
            event(uow, case_id, "ESCROW_REFUNDED", refunded_fen=int(figures(uow, case_id)["refunded_fen"]))
        )
    return events


def allocate(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """Share out what the payers have paid in over the instalments, oldest due first.

    Money that came after a default is kept apart (late) and pays nothing by itself; a DEFAULTED or WAIVED
    instalment keeps what it had.
    """
    f = figures(uow, case_id)
    late = int(uow.scalar("SELECT late_fen FROM escrow.escrow_case WHERE id = :id", id=case_id))
    left = int(f["balance_fen"]) + int(f["released_fen"]) - late
    events: list[Event] = []
    for row in current_instalments(uow, case_id):
        if row["state"] in ("DEFAULTED", "WAIVED"):
            left -= int(row["paid_fen"])
            continue
        paid = max(0, min(int(row["fen"]), left))
        left -= paid
        guard = "full" if paid == row["fen"] else "part" if paid else "none"
        after = INSTALMENT.next(row["state"], "allocate", {guard})
        if paid != row["paid_fen"] or after != row["state"]:
            uow.execute(
                "UPDATE escrow.instalment SET paid_fen = :paid, state = :after WHERE id = :id",
                paid=paid, after=after, id=row["id"],
            )  # fmt: skip
        if after != row["state"]:
            events.append(event(uow, case_id, f"INSTALMENT_{after}", number=row["number"], paid_fen=paid))
    return events


def current_instalments(uow: UnitOfWork, case_id: UUID) -> list[RowMapping]:
    """The instalments in force, oldest due first."""
    return list(
        uow.all(
            "SELECT i.* FROM escrow.instalment i JOIN escrow.escrow_case c ON c.id = i.case_id AND c.version = i.version"
            " WHERE i.case_id = :id ORDER BY i.due_on, i.number",
            id=case_id,
        )
    )


def remind(uow: UnitOfWork, case_id: UUID, kind: str, key: str, **more: object) -> list[Event]:
    """Say a thing of a case once: the event, or nothing when it was said under this key before."""
    new = uow.execute(
        "INSERT INTO escrow.reminder VALUES (:case, :kind, :key, :at) ON CONFLICT DO NOTHING",
        case=case_id, kind=kind, key=key, at=uow.now,
    )  # fmt: skip
    return [event(uow, case_id, kind, **more)] if new.rowcount else []
