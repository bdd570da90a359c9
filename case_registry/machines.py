"""The registry's state machines. The database's trigger, the diagrams and the tests are made from these."""

from __future__ import annotations

from case_registry.supervision_machine import SUPERVISION_CASE
from schemas.state_machine import Move, StateMachine

REFERRAL = StateMachine(
    "referral",
    "DRAFTED",
    (
        Move("DRAFTED", "send", "SENT", "sender is not the author", "digest of the list of papers"),
        Move("SENT", "receipt", "DELIVERED", "partner's signed receipt", "take-up clock SV01 starts"),
        Move("SENT", "no_receipt", "SENT", "24 hours gone", "transport alarm to operators"),
        Move(
            "DELIVERED", "take_up", "TAKEN_UP", "own case number given", "edge referred_to; the holder moves"
        ),
        Move(
            "DELIVERED",
            "return_back",
            "RETURNED",
            "reason given",
            "edge returned; the sender's clock goes on",
        ),
        Move(
            "DELIVERED",
            "limit_over",
            "DELIVERED",
            "take-up limit gone",
            "gap alarm to both and the supervisor",
        ),
        Move("DELIVERED", "recall", "LAPSED", "reason given by the sender"),
    ),
    frozenset({"TAKEN_UP", "RETURNED", "LAPSED"}),
)
PROPOSAL = StateMachine(
    "proposal",
    "OPEN",
    (
        Move("OPEN", "accept", "ACCEPTED", "a person with a reason", "the two cases are one dispute"),
        Move("OPEN", "reject", "REJECTED", "a person with a reason", "the two cases are kept apart"),
        Move("OPEN", "supersede", "SUPERSEDED", "", "linked by other means, or the signs are gone"),
    ),
    frozenset({"ACCEPTED", "REJECTED", "SUPERSEDED"}),
)
CONFLICT = StateMachine(
    "conflict",
    "OPEN",
    (
        Move("OPEN", "decide", "DECIDED", "a person with a reason", "the decision is a claim"),
        Move("OPEN", "vanish", "GONE", "", "the sources agree again"),
    ),
    frozenset({"DECIDED", "GONE"}),
)
CLOCK = StateMachine(
    "clock",
    "RUNNING",
    (
        Move("RUNNING", "suspend", "SUSPENDED", "reason, document, person"),
        Move("SUSPENDED", "resume", "RUNNING", "", "what was left goes on"),
        Move("RUNNING", "stop", "STOPPED", "the act is done or its reason is gone"),
        Move("SUSPENDED", "stop", "STOPPED", "the act is done or its reason is gone"),
        Move("STOPPED", "reopen", "RUNNING", "the fact that stopped it was taken back"),
    ),
)
MACHINES = (REFERRAL, PROPOSAL, CONFLICT, CLOCK, SUPERVISION_CASE)
