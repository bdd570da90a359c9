"""State tables of the mediation office (escrow.md "States" 1; mediation workflow)."""

from schemas.state_machine import Move, StateMachine

MATTER = StateMachine(
    name="matter",
    initial="ACCEPTED",
    moves=(
        Move("ACCEPTED", "mediate", "MEDIATING"),
        Move("ACCEPTED", "agree", "AGREED"),
        Move("ACCEPTED", "fail", "FAILED"),
        Move("ACCEPTED", "withdraw", "WITHDRAWN"),
        Move("MEDIATING", "agree", "AGREED"),
        Move("MEDIATING", "fail", "FAILED"),
        Move("MEDIATING", "withdraw", "WITHDRAWN"),
        Move("AGREED", "void", "MEDIATING"),
        Move("AGREED", "close", "CLOSED"),
        Move("CLOSED", "reopen", "AGREED"),
        Move("FAILED", "reopen", "MEDIATING"),
    ),
    final=frozenset({"WITHDRAWN"}),
)

AGREEMENT = StateMachine(
    name="agreement",
    initial="DRAFT",
    moves=(
        Move("DRAFT", "sign", "SIGNED", guard="every party, the mediator and the seal are there"),
        Move("DRAFT", "void", "VOID"),
        Move("SIGNED", "void", "VOID"),
        Move("SIGNED", "replace", "REPLACED"),
    ),
    final=frozenset({"VOID", "REPLACED"}),
)

# People's Mediation Law 33: joint application within 30 days of the agreement's effect.
CONFIRMATION = StateMachine(
    name="confirmation",
    initial="NONE",
    moves=(
        Move("NONE", "apply", "APPLIED"),
        Move("NONE", "confirm", "CONFIRMED"),
        Move("NONE", "refuse", "REFUSED"),
        Move("NONE", "limit_over", "LATE"),
        Move("APPLIED", "confirm", "CONFIRMED"),
        Move("APPLIED", "refuse", "REFUSED"),
        Move("CONFIRMED", "revoke", "REFUSED"),
    ),
    final=frozenset({"REFUSED", "LATE"}),
)

MACHINES = (MATTER, AGREEMENT, CONFIRMATION)
