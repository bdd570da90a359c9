"""The state table of a supervision case (supervision.md 2): code, trigger, diagram and tests are made from it."""

from __future__ import annotations

from schemas.state_machine import Move, StateMachine

TWICE = "sent back twice already"
_RUNNING = ("ISSUED", "SIGNED", "OBJECTED", "HANDLING", "EXTENSION_ASKED", "SUSPENDED", "REPORTED")

SUPERVISION_CASE = StateMachine(
    "supervision_case",
    "DRAFT",
    (
        Move("DRAFT", "discard", "VOID", "by its author, with a reason"),
        Move(
            "DRAFT",
            "issue",
            "ISSUED",
            "issuer is not the author (L1, L2); level allowed to the office",
            "number, seal; SV02 starts",
        ),
        Move("ISSUED", "sign_for", "SIGNED", "agency is the addressee", "receipt; SV03 starts"),
        Move("ISSUED", "not_signed", "ISSUED", "SV02 has run out", "red"),
        Move("ISSUED", "object", "OBJECTED", "reasons, law, another agency named", "the clock stands still"),
        Move(
            "SIGNED",
            "object",
            "OBJECTED",
            "at most 2 workdays after signing; another agency named",
            "the clock stands still",
        ),
        Move("OBJECTED", "uphold", "SIGNED", "decision", "time spent objecting does not count"),
        Move("OBJECTED", "reassign", "ISSUED", "decision; another agency named", "copy to the first agency"),
        Move("SIGNED", "assign_handler", "HANDLING", "name, phone"),
        Move("HANDLING", "urge", "HANDLING", "1 workday since the last urge", "text, time"),
        Move("HANDLING", "report_progress", "HANDLING", "note"),
        Move("HANDLING", "ask_extension", "EXTENSION_ASKED", "before the end, not used yet, at most 10 days"),
        Move("EXTENSION_ASKED", "grant", "HANDLING", "decision, before the end", "new end"),
        Move("EXTENSION_ASKED", "refuse", "HANDLING", "decision"),
        Move("HANDLING", "suspend", "SUSPENDED", "reason in the list, document", "the clock stands still"),
        Move(
            "SUSPENDED", "resume", "HANDLING", "reason gone or its end date reached", "what was left goes on"
        ),
        Move("HANDLING", "report_result", "REPORTED", "result code, papers attached", "SV04 starts"),
        Move("REPORTED", "start_verify", "VERIFYING", "verifier is not of the assigned agency"),
        Move(
            "VERIFYING",
            "pass",
            "VERIFIED",
            "party reached, or 3 documented tries; L1 on the spot",
            "record of verification",
        ),
        Move("VERIFYING", "send_back", "HANDLING", "", "SV03 anew, half the limit"),
        Move("VERIFYING", "send_back", "ESCALATED", TWICE, "a new case one level up, both files linked"),
        Move("VERIFIED", "close", "CLOSED", "second person of the issuing office (L1, L2)", "closing note"),
        *(
            Move(
                state,
                "escalate",
                "ESCALATED",
                "red longer than the table, or taken over",
                "a case one level up",
            )
            for state in (*_RUNNING, "VERIFYING")
        ),
        *(
            Move(state, "withdraw", "WITHDRAWN", "solved elsewhere, merged, or wrongly issued")
            for state in _RUNNING
        ),
        Move(
            "CLOSED", "reopen", "HANDLING", "at most 90 days after; a new fact", "SV03 anew, half the limit"
        ),
    ),
    frozenset({"WITHDRAWN", "VOID", "ESCALATED"}),
)
"""A closed case may come back, so CLOSED is left by one move; everything else that ended stays ended."""
