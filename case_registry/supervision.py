"""Supervision 督办: cases from draft to close, each act with its proof in the case's file (supervision.md 1 and 2).

Every act goes through the one state table; what an act must prove is in `supervision_rules`, the conditions on persons,
days and counts in `supervision_guards`. The database refuses what these would let through by mistake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry import supervision_clocks as sv_clocks
from case_registry.disputes import anchor, dispute_ref
from case_registry.refresh import refresh
from case_registry.source import Event, NotAllowed, Unknown
from case_registry.supervision_guards import guard
from case_registry.supervision_machine import SUPERVISION_CASE
from case_registry.supervision_rules import ACTION, LEVELS, checked, codes, levels, table
from case_registry.told import BEIJING
from case_registry.watch import light_lamps
from foundation.unit_of_work import UnitOfWork

ENDED = ("VOID", "CLOSED", "WITHDRAWN", "ESCALATED")
_SIDE_LINES = ("copy_to", "read")


def draft(
    uow: UnitOfWork, dispute: str | UUID, level: str, agency: str, reason: str, why: str, *, organisation: str = "",
    rule: str = "", takes_over: UUID | None = None,
) -> UUID:  # fmt: skip
    """Draft a case on a dispute. `reason`: a code; `why`: what happened; `rule`: what drafted it, "" = a person.

    Raises Unknown, NotAllowed: a draft is there, or an open case of this level or a higher one.
    """
    if level not in levels() or reason not in codes("reason") or not why.strip() or not agency:
        raise NotAllowed("a supervision case needs a level, an agency, a reason code and what happened")
    ref = dispute_ref(uow, dispute)
    uow.execute("SELECT 1 FROM registry.dispute WHERE id = :d FOR UPDATE", d=ref.id)
    for other in _of_dispute(uow, ref.id):
        if other["state"] == "DRAFT":
            raise NotAllowed("a draft is there already: issue it or discard it first")
        if other["state"] not in ENDED and LEVELS.index(other["level"]) >= LEVELS.index(level):
            raise NotAllowed(
                f"case {other['number']} of level {other['level']} is open: a matter has one case"
            )
    made = uow.new_id()
    uow.execute(
        "INSERT INTO registry.supervision_case (id, source_case, level, agency, organisation, reason, why, rule, rule_version,"
        " drafted_at, drafted_by, takes_over) VALUES (:id, :case, :level, :agency, :org, :reason, :why, :rule, :version,"
        " :now, :by, :over)",
        id=made, case=anchor(uow, ref.id), level=level, agency=agency, org=organisation, reason=reason, why=why.strip(),
        rule=rule, version=table()["version"], now=uow.now, by=uow.actor.id, over=takes_over,
    )  # fmt: skip
    write(uow, made, "draft", "", "DRAFT", {"reason": reason, "why": why, "rule": rule})
    return made


def _of_dispute(uow: UnitOfWork, dispute: UUID) -> list[RowMapping]:
    return list(
        uow.all(
            "SELECT s.* FROM registry.supervision_case s JOIN registry.source_case c ON c.id = s.source_case"
            " WHERE c.dispute = :d ORDER BY s.drafted_at DESC, s.id LIMIT 200",
            d=dispute,
        )
    )


def locked(uow: UnitOfWork, case: UUID) -> RowMapping:
    """A case, one act at a time. Raises Unknown."""
    row = uow.one("SELECT * FROM registry.supervision_case WHERE id = :id FOR UPDATE", id=case)
    if row is None:
        raise Unknown("supervision case", case)
    return row


def act(uow: UnitOfWork, case: UUID, event: str, proof: Mapping[str, Any]) -> list[Event]:
    """Do one act on a case: by the state table, with its proof, in its file. Raises Unknown, NotAllowed.

    `proof`: as `supervision_rules.PROOF` names it for the event. Returns `supervision_moved` and what follows.
    """
    row = locked(uow, case)
    told = checked(event, proof)
    if event in _SIDE_LINES:
        write(uow, case, event, row["state"], row["state"], told)
        return [_moved(uow, row, event, row["state"])]
    if not SUPERVISION_CASE.allows(row["state"], event):
        raise NotAllowed(f"this case is {row['state']}: {event} is not possible")
    move = SUPERVISION_CASE.move(row["state"], event, guard(uow, row, event, told))
    changed, follow_up = _effect(uow, row, event, move.next, told)
    write(uow, case, event, row["state"], move.next, told)
    names = ", ".join(f"{name} = :{name}" for name in changed)
    uow.execute(f"UPDATE registry.supervision_case SET state = :state{', ' + names if names else ''} WHERE id = :id",
                state=move.next, id=case, **changed)  # fmt: skip
    if move.next == "ESCALATED":
        _go_up(uow, row, told, drafted=event != "escalate" or told["rule"] != "taken over")
    dispute = uow.scalar("SELECT dispute FROM registry.source_case WHERE id = :c", c=row["source_case"])
    moved = _moved(uow, row, event, move.next)
    lit = [
        {**moved, **{name: value for name, value in e.items() if name != "case"}}
        for e in light_lamps(uow, [row["source_case"]])
    ]
    return [
        *follow_up,
        _moved(uow, row, event, move.next),
        *lit,
        *(refresh(uow, [dispute]) if dispute else []),
    ]


def _moved(uow: UnitOfWork, row: RowMapping, event: str, state: str) -> Event:
    named = uow.one(
        "SELECT d.id AS dispute_id, d.number AS dispute FROM registry.source_case c JOIN registry.dispute d ON d.id = c.dispute"
        " WHERE c.id = :c",
        c=row["source_case"],
    )
    return {"event": "supervision_moved", "supervision": row["id"], "level": row["level"], "agency": row["agency"],
            "act": event, "from": row["state"], "to": state, **dict(named or {})}  # fmt: skip


def write(uow: UnitOfWork, case: UUID, event: str, was: str, now: str, proof: Mapping[str, Any]) -> None:
    """One line of a case's file."""
    uow.execute(
        "INSERT INTO registry.supervision_act (supervision, event, action, from_state, to_state, at, by, org, proof)"
        " VALUES (:id, :event, :action, :was, :to, :now, :by, :org, CAST(:proof AS jsonb))",
        id=case, event=event, action=ACTION.get(event, ""), was=was, to=now, now=uow.now, by=uow.actor.id,
        org=uow.actor.org, proof=orjson.dumps(proof, default=str).decode(),
    )  # fmt: skip


Effect = tuple[dict[str, Any], list[Event]]


def _effect(uow: UnitOfWork, row: RowMapping, event: str, state: str, told: dict[str, Any]) -> Effect:
    """The columns that an act sets, and the events of what it does beside; clocks start, stand still and stop here."""
    now, case = uow.now, row["id"]
    if event in ("discard", "withdraw", "escalate"):
        sv_clocks.stop(uow, case, event)
        return {"ended_why": told.get("reason") or told.get("rule")}, []
    if event == "issue":
        return _issue(uow, row, told)
    if event == "sign_for":
        sv_clocks.start(uow, dict(row), levels()[row["level"]].answer, "signed for")
        return {"signed_at": now, "receipt": told["receipt"]}, []
    if event == "object":
        sv_clocks.stand_still(uow, case, f"objected: {told['reason']}")
        return {"objected_from": row["state"]}, []
    if event == "uphold":
        if row["objected_from"] == "SIGNED":
            sv_clocks.go_on(uow, case, "objection not followed")
            return {}, []
        sv_clocks.start(uow, dict(row), levels()[row["level"]].answer, "objection not followed")
        return {"signed_at": now, "receipt": told["decision"]}, []
    if event == "reassign":
        other = {**row, "agency": told["to_agency"]}
        sv_clocks.start(uow, other, "SV02", "assigned to another agency")
        return {
            "agency": told["to_agency"],
            "organisation": told["organisation"],
            "signed_at": None,
            "receipt": None,
        }, []
    if event == "assign_handler":
        return {"handler": told["handler"], "handler_phone": told["phone"]}, []
    if event == "urge":
        return {"last_urged_at": now}, []
    if event == "ask_extension":
        return {"asked_days": told["days"]}, []
    if event == "grant":
        sv_clocks.extend(uow, case, row["asked_days"], told["decision"])
        return {"extended_days": row["asked_days"]}, []
    if event == "suspend":
        sv_clocks.stand_still(uow, case, f"{told['ground']}: {told['document']}")
        return {"suspended_until": told["until"] or None}, []
    if event == "resume":
        sv_clocks.go_on(uow, case, told["reason"])
        return {"suspended_until": None}, []
    return _after_report(uow, row, event, state, told)


def _after_report(uow: UnitOfWork, row: RowMapping, event: str, state: str, told: dict[str, Any]) -> Effect:
    now = uow.now
    if event == "report_result":
        sv_clocks.start(uow, {**row, "agency": "supervision"}, "SV04", "result reported")
        papers = orjson.dumps(told["papers"]).decode()
        return {
            "result_code": told["result"],
            "result_papers": papers,
            "result_by": told["head"],
            "reported_at": now,
        }, []
    if event == "start_verify":
        return {"verifier": told["verifier"], "verifier_agency": told["verifier_agency"]}, []
    if event == "pass":
        sv_clocks.stop(uow, row["id"], "verified")
        return {"verify_record": told["record"], "verified_at": now}, []
    if event in ("send_back", "reopen"):
        if state == "HANDLING":
            sv_clocks.start(uow, dict(row), levels()[row["level"]].again, event)
        else:
            sv_clocks.stop(uow, row["id"], "sent back too often")
        again = {"result_code": None, "result_papers": "[]", "verify_record": None, "verified_at": None, "closed_at": None,
                 "closed_by": None, "closing_note": None, "extended_days": 0}  # fmt: skip
        return {**again, "send_backs": row["send_backs"] + (event == "send_back")}, []
    if event == "close":
        return {"closed_at": now, "closed_by": uow.actor.id, "closing_note": told["note"]}, []
    return {}, []


def _issue(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> Effect:
    """Give it its number and take over an open case of a lower level, with its file."""
    events: list[Event] = []
    over = row["takes_over"]
    dispute = uow.scalar("SELECT dispute FROM registry.source_case WHERE id = :c", c=row["source_case"])
    for other in _of_dispute(uow, dispute):
        if other["id"] != row["id"] and other["state"] not in ("DRAFT", *ENDED):
            events += act(uow, other["id"], "escalate", {"rule": "taken over"})
            over = over or other["id"]
    year = uow.now.astimezone(BEIJING).year
    no = uow.scalar(
        "INSERT INTO registry.supervision_number VALUES (:y, :l, 1) ON CONFLICT (year, level)"
        " DO UPDATE SET last = supervision_number.last + 1 RETURNING last",
        y=year,
        l=row["level"],
    )
    number = f"督〔{year}〕{row['level']}-{no:04d}"
    notice = "\n".join(
        [
            number,
            levels()[row["level"]].zh,
            row["agency"],
            row["organisation"],
            row["reason"],
            row["why"],
            told["seal"],
        ]
    )
    sv_clocks.start(uow, {**row, "number": number}, "SV02", "notice delivered")
    return {"number": number, "issued_at": uow.now, "issued_by": uow.actor.id, "issuer": uow.actor.org, "seal": told["seal"],
            "notice_digest": hashlib.sha256(notice.encode()).hexdigest(), "takes_over": over}, events  # fmt: skip


def _go_up(uow: UnitOfWork, row: RowMapping, told: Mapping[str, Any], *, drafted: bool) -> None:
    """Draft the case one level up, both files linked; none where a higher case takes over or a draft is there."""
    dispute = uow.scalar("SELECT dispute FROM registry.source_case WHERE id = :c", c=row["source_case"])
    if not drafted or dispute is None or any(o["state"] == "DRAFT" for o in _of_dispute(uow, dispute)):
        return
    reason = "SENT_BACK" if "text" in told else "UNANSWERED"
    why = f"{row['number']}：{told.get('text') or told.get('rule')}"
    draft(uow, dispute, levels()[row["level"]].up, row["agency"], reason, why, organisation=row["organisation"],
          rule=f"from {row['number']}", takes_over=row["id"])  # fmt: skip
