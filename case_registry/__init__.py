"""The registry: one record of each dispute across all agencies, and the watch over it.

This file is the room's front door; nothing behind it is called from outside. Every function takes the open
unit of work first; those that change something return events (plain dicts with the name under "event") for
the choreography. Disputes are named by number towards people and by id between rooms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from case_registry import clock_acts as _clock_acts
from case_registry import conflict_tasks as _conflicts
from case_registry import factor_log as _factor_log
from case_registry import indicator_notes as _indicator_notes
from case_registry import link_decisions as _proposals
from case_registry.access import Reader, access_rows, may, purposes_of, reader_for, reader_of, sees_unplaced
from case_registry.access_numbers import (
    dispute_of_number,
    disputes_seen,
    numbers_seen,
    sees_behind,
    sees_number,
)
from case_registry.board_counts import CHANGED as BOARD_CHANGED
from case_registry.board_counts import board
from case_registry.bulk import bulk_load
from case_registry.deadlines import all_rules as deadline_rules
from case_registry.disputes import dispute_ref
from case_registry.escalation_back_test import back_test_escalation
from case_registry.escalation_rating import hit_rate as escalation_hit_rate
from case_registry.escalation_rating import likeliest as likeliest_escalations
from case_registry.escalation_rating import rate_escalations
from case_registry.factors import noted_indicators
from case_registry.gaps import list_hand_overs, open_gaps, settle_listed
from case_registry.history import timeline
from case_registry.indicator_notes import notes_of as indicator_notes
from case_registry.link_audits import draw as draw_link_audit
from case_registry.link_decisions import attach, proposals, split_off
from case_registry.link_estimates import link_estimates
from case_registry.link_floor import adopt as adopt_link_floor
from case_registry.link_floor import floors as link_floors
from case_registry.link_floor import rules as review_rules
from case_registry.link_floor import take_back as take_back_link_floor
from case_registry.link_pair import COMPARED as COMPARED_IN_REVIEW
from case_registry.link_pair import review_pair
from case_registry.link_review import ANSWERS as REVIEW_ANSWERS
from case_registry.link_review import Asked as AskedReviews
from case_registry.link_review import answer as answer_review
from case_registry.link_review import review_counts, reviews
from case_registry.link_review import take_back as take_back_review
from case_registry.listing import Filters, Page, factor_list, find_disputes, my_work
from case_registry.machines import MACHINES
from case_registry.outside_facts import clear_flag, escrow_summary, set_flag, set_notices_owed
from case_registry.reading import dispute
from case_registry.rebuilding import Rebuilt, rebuild_page
from case_registry.recording import record, retract_message
from case_registry.recording_many import record_many
from case_registry.referrals import draft as draft_referral
from case_registry.referrals import recall as recall_referral
from case_registry.referrals import receipt as referral_receipt
from case_registry.referrals import return_back as return_referral
from case_registry.referrals import send as send_referral
from case_registry.referrals import take_up as take_up_referral
from case_registry.refresh import refresh as _refresh
from case_registry.source import (
    DisputeRef,
    Event,
    NotAllowed,
    NotRecorded,
    RecordResult,
    Source,
    Spoken,
    Unknown,
)
from case_registry.state_hash import rebuilt_hash, state_hash
from case_registry.supervision import act as supervise
from case_registry.supervision import draft as draft_supervision
from case_registry.supervision_reading import supervision_case, supervision_cases, supervision_times
from case_registry.supervision_rules import PROOF as SUPERVISION_PROOF
from case_registry.supervision_rules import SIDE as SUPERVISION_SIDE
from case_registry.supervision_rules import codes as supervision_codes
from case_registry.supervision_rules import levels as supervision_levels
from case_registry.supervision_watch import draft_at_once
from case_registry.watching import after_act as _after_act
from case_registry.watching import watch_deadlines
from case_registry.where import cases_by_partner, disputes_of, parked_count, whereabouts_of
from case_registry.words import word, words
from foundation.unit_of_work import UnitOfWork
from schemas.claims import JsonValue

__all__ = [
    "BOARD_CHANGED",
    "COMPARED_IN_REVIEW",
    "MACHINES",
    "REVIEW_ANSWERS",
    "SUPERVISION_PROOF",
    "SUPERVISION_SIDE",
    "AskedReviews",
    "DisputeRef",
    "Event",
    "Filters",
    "NotAllowed",
    "NotRecorded",
    "Page",
    "Reader",
    "Rebuilt",
    "RecordResult",
    "Source",
    "Spoken",
    "Unknown",
    "access_rows",
    "adopt_link_floor",
    "answer_review",
    "attach",
    "back_test_escalation",
    "board",
    "bulk_load",
    "cases_by_partner",
    "clear_flag",
    "conflicts",
    "deadline_rules",
    "decide_conflict",
    "decide_link",
    "dispute",
    "dispute_of_number",
    "dispute_ref",
    "disputes_of",
    "disputes_seen",
    "draft_at_once",
    "draft_referral",
    "draft_supervision",
    "draw_link_audit",
    "escalation_hit_rate",
    "escrow_summary",
    "extend_clock",
    "factor_list",
    "find_disputes",
    "indicator_notes",
    "likeliest_escalations",
    "link_estimates",
    "link_floors",
    "list_hand_overs",
    "may",
    "my_work",
    "note_indicator",
    "noted_indicators",
    "numbers_seen",
    "open_gaps",
    "override_grade",
    "parked_count",
    "proposals",
    "purposes_of",
    "rate_escalations",
    "reader_for",
    "reader_of",
    "rebuild_page",
    "rebuilt_hash",
    "recall_referral",
    "record",
    "record_many",
    "referral_receipt",
    "refresh_disputes",
    "resume_clock",
    "retract_message",
    "return_referral",
    "review_counts",
    "review_pair",
    "review_rules",
    "reviews",
    "sees_behind",
    "sees_number",
    "sees_unplaced",
    "send_referral",
    "set_flag",
    "set_notices_owed",
    "settle_listed",
    "split_off",
    "state_hash",
    "strike_off_factor",
    "supervise",
    "supervision_case",
    "supervision_cases",
    "supervision_codes",
    "supervision_levels",
    "supervision_times",
    "suspend_clock",
    "take_back_link_floor",
    "take_back_review",
    "take_up_referral",
    "timeline",
    "undo_link",
    "watch_deadlines",
    "whereabouts_of",
    "withdraw_indicator",
    "word",
    "words",
]


def decide_link(uow: UnitOfWork, proposal: UUID, accept: bool, reason: str) -> list[Event]:
    """Decide a proposal: one dispute, or two to be kept apart. Raises Unknown, NotAllowed."""
    return _proposals.settle(uow, proposal, accept, reason)


def undo_link(uow: UnitOfWork, decision: UUID, reason: str) -> list[Event]:
    """Take a decision about a link back; both disputes stand as before it. Raises Unknown, NotAllowed."""
    return _proposals.undo(uow, decision, reason)


def conflicts(
    uow: UnitOfWork, dispute: UUID | None = None, limit: int = 100, reader: Reader | None = None
) -> list[dict[str, Any]]:
    """Open conflicts between equally believed sources, oldest first; `reader`: those that this person may see."""
    return _conflicts.open_conflicts(uow, dispute, limit, reader)


def decide_conflict(uow: UnitOfWork, conflict: UUID, value: JsonValue, reason: str) -> list[Event]:
    """Decide which value people read; the decision is a claim with its reason. Raises Unknown, NotAllowed."""
    return refresh_disputes(uow, [_conflicts.settle(uow, conflict, value, reason)])


def refresh_disputes(uow: UnitOfWork, disputes: Iterable[str | UUID]) -> list[Event]:
    """Bring the read side of these disputes to what is known."""
    return _refresh(uow, [dispute_ref(uow, d).id for d in disputes])


def note_indicator(
    uow: UnitOfWork, dispute: str | UUID, indicator: str, step: str, reason: str, source: str = "",
    until: date | None = None,
) -> list[Event]:  # fmt: skip
    """Record what only people can state of a dispute's risk (a threat, arrears), to count until a day where one is set.
    Raises Unknown, NotAllowed."""
    _factor_log.note(uow, dispute, indicator, step, reason, source, until)
    return refresh_disputes(uow, [dispute])


def withdraw_indicator(uow: UnitOfWork, note: int, reason: str) -> list[Event]:
    """Take back what was recorded of an indicator, with a reason; the grade follows. Raises Unknown, NotAllowed."""
    return refresh_disputes(uow, [_indicator_notes.withdraw(uow, note, reason)])


def override_grade(
    uow: UnitOfWork,
    dispute: str | UUID,
    grade: str,
    code: str,
    reason: str,
    until: date,
    *,
    second: str = "",
    document: str = "",
) -> list[Event]:
    """Set a factor's grade by hand until a day; both grades are shown meanwhile. Raises Unknown, NotAllowed."""
    _factor_log.override(uow, dispute, grade, code, reason, until, second=second, document=document)
    return refresh_disputes(uow, [dispute])


def strike_off_factor(uow: UnitOfWork, dispute: str | UUID, reason: str) -> list[Event]:
    """Take a factor off the list once its score has been below it long enough. Raises NotAllowed."""
    return [_factor_log.strike_off(uow, dispute, reason), *refresh_disputes(uow, [dispute])]


def extend_clock(uow: UnitOfWork, clock: UUID, amount: int, reason: str) -> list[Event]:
    """Grant a running clock `amount` more of its own unit, as its row allows. Raises Unknown, NotAllowed."""
    _clock_acts.extend(uow, clock, amount, reason)
    return _after_act(uow, clock)


def suspend_clock(uow: UnitOfWork, clock: UUID, reason: str) -> list[Event]:
    """Stop a running clock for one of its row's reasons. Raises Unknown, NotAllowed."""
    _clock_acts.suspend_by_person(uow, clock, reason)
    return _after_act(uow, clock)


def resume_clock(uow: UnitOfWork, clock: UUID, reason: str) -> list[Event]:
    """Let a suspended clock go on with what was left. Raises Unknown, NotAllowed."""
    _clock_acts.resume_by_person(uow, clock, reason)
    return _after_act(uow, clock)


def link_files(
    config: Path, records: Sequence[Path], out: Path, pairs: Path | None = None, weights: Path | None = None, **more: Any
) -> dict[str, Any]:  # fmt: skip
    """Link the rows of any registers' files by a configuration; see `case_registry.linkage.tool`.

    Raises ValueError for a setting, column or file that cannot be used, OSError.
    """
    from case_registry.linkage.tool import link_files as found  # only this command needs tables in memory

    return found(config, records, out, pairs, weights, **more)
