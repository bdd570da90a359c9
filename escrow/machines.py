"""State machines of the escrow room (escrow.md, "States"). The tables are the only source of legal moves."""

from __future__ import annotations

from schemas.state_machine import Move, StateMachine

# Where money of a case can stand so that nothing has been paid and nothing is under way.
_BY_FUNDING = (("funded_all", "FUNDED"), ("funded_some", "PART_FUNDED"), ("", "OPEN"))
# Back from a refusal or a return: by funding when nothing was released and nothing is in transit.
_BACK = (("back_full", "FUNDED"), ("back_part", "PART_FUNDED"))
# Under a court's or a default's shadow: money moves, the state does not; COMPLETED when all is paid.
SHADOW = ("DEFAULTED", "ENFORCEMENT_REQUESTED", "ENFORCED")


def _stay(event: str, *states: str) -> tuple[Move, ...]:
    return tuple(Move(state, event, state) for state in states)


def _branch(state: str, event: str, *ways: tuple[str, str]) -> tuple[Move, ...]:
    return tuple(Move(state, event, after, guard) for guard, after in ways)


ESCROW = StateMachine(
    name="escrow",
    initial="NONE",
    moves=(
        Move("NONE", "sign", "SIGNED"),
        Move("SIGNED", "open_account", "OPEN"),
        # credit
        *_branch("OPEN", "credit", ("funded_all", "FUNDED"), ("", "PART_FUNDED")),
        *_branch("PART_FUNDED", "credit", ("funded_all", "FUNDED"), ("", "PART_FUNDED")),
        *_branch("REFUNDED", "credit", ("funded_all", "FUNDED"), ("", "PART_FUNDED")),
        *_stay("credit", "FUNDED", "RELEASING", "SUSPENDED", "REFUNDING", "COMPLETED", *SHADOW),
        # dispatch of a payout; under a shadow only by a person's stated decision
        *(Move(s, "dispatch", "RELEASING") for s in ("FUNDED", "PART_FUNDED", "RELEASING", "SUSPENDED")),
        *(Move(s, "dispatch", s, "decided") for s in SHADOW),
        # proof of a payout
        *_branch("RELEASING", "proof", ("paid_all", "COMPLETED"), ("empty_short", "PART_FUNDED"), ("", "RELEASING")),
        *_branch("FUNDED", "proof", ("paid_all", "COMPLETED"), ("empty_short", "PART_FUNDED"), ("", "RELEASING")),
        *_branch("PART_FUNDED", "proof", ("paid_all", "COMPLETED"), ("empty_short", "PART_FUNDED"), ("", "RELEASING")),
        *_branch("SUSPENDED", "proof", ("paid_all", "COMPLETED"), ("empty_short", "PART_FUNDED"), ("", "SUSPENDED")),
        *_branch("OPEN", "proof", ("paid_all", "COMPLETED"), ("", "PART_FUNDED")),
        *_stay("proof", "REFUNDING", "REFUNDED", "COMPLETED"),
        *(move for s in SHADOW for move in _branch(s, "proof", ("paid_all", "COMPLETED"), ("", s))),
        # refusal by the rail, or a payment that came back
        *_branch("RELEASING", "refused", *_BACK, ("", "RELEASING")),
        *_stay("refused", "FUNDED", "PART_FUNDED", "SUSPENDED", "COMPLETED", *SHADOW),
        *_branch("REFUNDING", "refused", ("refunding", "REFUNDING"), *_BACK, ("", "RELEASING")),
        *_branch("COMPLETED", "return", *_BACK, ("", "RELEASING")),
        *_branch("RELEASING", "return", *_BACK, ("", "RELEASING")),
        *_branch("PART_FUNDED", "return", *_BACK, ("", "RELEASING")),
        *_branch("FUNDED", "return", *_BACK, ("", "RELEASING")),
        *_branch("REFUNDED", "return", *_BACK, ("", "RELEASING")),
        *_stay("return", "SUSPENDED", "REFUNDING", *SHADOW),
        # suspension: nothing in transit; left by the next dispatch or by a person
        *(Move(s, "suspend", "SUSPENDED") for s in ("OPEN", "PART_FUNDED", "FUNDED", "RELEASING", "SUSPENDED")),
        *_branch("SUSPENDED", "resume", ("paid_some", "RELEASING"), *_BY_FUNDING),
        *_branch("DEFAULTED", "resume", ("paid_some", "RELEASING"), *_BY_FUNDING),
        # default and enforcement
        *(Move(s, "default", "DEFAULTED") for s in ("OPEN", "PART_FUNDED", "FUNDED", "RELEASING", "SUSPENDED")),
        *(
            Move(s, "enforcement_filed", "ENFORCEMENT_REQUESTED")
            for s in ("DEFAULTED", "OPEN", "PART_FUNDED", "FUNDED", "RELEASING", "SUSPENDED")
        ),
        Move("ENFORCEMENT_REQUESTED", "enforced", "ENFORCED"),
        # refunds
        *(
            Move(s, "refund_dispatch", "REFUNDING")
            for s in ("OPEN", "PART_FUNDED", "FUNDED", "RELEASING", "SUSPENDED", "COMPLETED", "REFUNDING")
        ),
        *(Move(s, "refund_dispatch", s, "decided") for s in SHADOW),
        *_branch(
            "REFUNDING", "refund_proof", ("refunding", "REFUNDING"), ("void_empty", "REFUNDED"),
            ("paid_all", "COMPLETED"), ("paid_some", "RELEASING"), *_BY_FUNDING,
        ),
        *(Move(s, "refund_proof", s) for s in (*SHADOW, "SUSPENDED", "RELEASING", "COMPLETED")),
        *_branch("FUNDED", "refund_proof", ("void_empty", "REFUNDED"), *_BY_FUNDING),
        *_branch("PART_FUNDED", "refund_proof", ("void_empty", "REFUNDED"), *_BY_FUNDING),
        # the holder reverses a credit
        *_branch("FUNDED", "reversal", *_BY_FUNDING),
        *_branch("PART_FUNDED", "reversal", *_BY_FUNDING),
        *_branch("RELEASING", "reversal", *_BACK, ("none_left", "OPEN"), ("", "RELEASING")),
        *_stay("reversal", "OPEN", "SUSPENDED", "REFUNDING", "REFUNDED", "COMPLETED", *SHADOW),
    ),
)  # fmt: skip

PAYMENT_ORDER = StateMachine(
    name="payment_order",
    initial="DRAFTED",
    moves=(
        Move("DRAFTED", "check", "CHECKED", effect="approval of a second person"),
        Move("CHECKED", "release", "RELEASED", effect="money set aside: case_escrow to payable"),
        Move("RELEASED", "dispatch", "DISPATCHING", effect="intent committed with the approved bytes"),
        Move("DISPATCHING", "sent", "SENT"),
        Move("SENT", "repeat", "DISPATCHING", "outcome NOT_SENT", "same number, same bytes"),
        Move("DISPATCHING", "proof", "PAID", effect="statement line posted"),
        Move("SENT", "proof", "PAID", effect="statement line posted"),
        Move("DISPATCHING", "fail", "FAILED", "definite failure", "money back to case_escrow"),
        Move("SENT", "fail", "FAILED", "definite failure", "money back to case_escrow"),
        Move("FAILED", "proof", "PAID", effect="the statement proves otherwise than the reply"),
        Move("PAID", "return", "RETURNED", effect="returned credit posted"),
        Move("RETURNED", "reissue", "REISSUED", effect="new, linked order"),
        Move("RETURNED", "close", "CLOSED"),
        *(Move(state, "cancel", "CANCELLED") for state in ("DRAFTED", "CHECKED", "RELEASED")),
        *(Move(state, "stop", "STOPPED") for state in ("DRAFTED", "CHECKED", "RELEASED")),
    ),
    final=frozenset({"CANCELLED", "STOPPED", "REISSUED", "CLOSED"}),
)

# The rail's word about an attempt. UNKNOWN is left by a query's answer, a statement line, or a person with a
# document; never by waiting (escrow.md). DONE is sticky: what follows is a return, not a refusal.
PAYMENT_OUTCOME = StateMachine(
    name="payment_outcome",
    initial="NONE",
    moves=(
        *(Move("NONE", "say", o, f"said {o}") for o in ("NOT_SENT", "REFUSED", "ACCEPTED", "IN_PROCESS", "UNKNOWN", "DONE")),
        *(Move("ACCEPTED", "say", o, f"said {o}") for o in ("REFUSED", "IN_PROCESS", "DONE")),
        *(Move("IN_PROCESS", "say", o, f"said {o}") for o in ("REFUSED", "ACCEPTED", "DONE")),
        *(Move("UNKNOWN", "answer", o, f"said {o}") for o in ("NOT_SENT", "REFUSED", "ACCEPTED", "IN_PROCESS", "DONE")),
        *(Move("NOT_SENT", "say", o, f"said {o}") for o in ("REFUSED", "ACCEPTED", "IN_PROCESS", "UNKNOWN", "DONE")),
        *(Move(o, "line", "DONE") for o in ("NONE", "NOT_SENT", "REFUSED", "ACCEPTED", "IN_PROCESS", "UNKNOWN")),
    ),
    final=frozenset({"DONE"}),
)  # fmt: skip

INSTALMENT = StateMachine(
    name="instalment",
    initial="DUE",
    moves=(
        *_branch("DUE", "allocate", ("full", "PAID"), ("part", "PART_PAID"), ("none", "DUE")),
        *_branch("PART_PAID", "allocate", ("full", "PAID"), ("part", "PART_PAID"), ("none", "DUE")),
        *_branch("PAID", "allocate", ("full", "PAID"), ("part", "PART_PAID"), ("none", "DUE")),
        *_branch("OVERDUE", "allocate", ("full", "PAID"), ("part", "OVERDUE"), ("none", "OVERDUE")),
        Move("DUE", "due_passed", "OVERDUE"),
        Move("PART_PAID", "due_passed", "OVERDUE"),
        Move("OVERDUE", "grace_ended", "DEFAULTED"),
        Move("DEFAULTED", "cure", "PAID", effect="a person takes late money for it"),
        *(Move(s, "waive", "WAIVED") for s in ("DUE", "PART_PAID", "OVERDUE", "DEFAULTED")),
    ),
    final=frozenset({"WAIVED"}),
)

JUDICIAL_CONFIRMATION = StateMachine(
    name="judicial_confirmation",
    initial="NONE",
    moves=(
        Move("NONE", "apply", "APPLIED"),
        *(Move(s, "confirm", "CONFIRMED") for s in ("NONE", "APPLIED", "LATE")),
        *(Move(s, "refuse", "REFUSED") for s in ("NONE", "APPLIED", "LATE")),
        *(Move(s, "withdraw", "NONE") for s in ("APPLIED",)),
        Move("NONE", "expire", "LATE", effect="30 days from the agreement's effect"),
        Move("CONFIRMED", "revoke", "REFUSED"),
        *(Move(s, "replace", "NONE") for s in ("CONFIRMED", "REFUSED", "LATE")),
    ),
)

FREEZE = StateMachine(
    name="freeze",
    initial="WAITING",
    moves=(
        Move("WAITING", "activate", "ACTIVE", effect="money of the case to frozen"),
        Move("WAITING", "lift", "LIFTED"),
        Move("ACTIVE", "lift", "LIFTED", "court document", "frozen money back to the case"),
        Move("ACTIVE", "deduct", "DEDUCTED", "court document and statement line"),
    ),
    final=frozenset({"LIFTED", "DEDUCTED"}),
)

DECISION = StateMachine(
    name="decision",
    initial="PROPOSED",
    moves=(Move("PROPOSED", "confirm", "CONFIRMED", "second person"), Move("PROPOSED", "reject", "REJECTED")),
    final=frozenset({"CONFIRMED", "REJECTED"}),
)

RECON_BREAK = StateMachine(
    name="recon_break",
    initial="OPEN",
    moves=(
        Move("OPEN", "own", "OWNED"),
        Move("OWNED", "own", "OWNED"),
        Move("OPEN", "close", "CLOSED", "entry or document"),
        Move("OWNED", "close", "CLOSED", "entry or document"),
    ),
    final=frozenset({"CLOSED"}),
)

# A deposit 提存 with a depositary (Civil Code 570–574): what is proved paid to it counts as performance.
DEPOSIT = StateMachine(
    name="deposit",
    initial="DECIDED",
    moves=(
        *_branch("DECIDED", "reckon", ("some", "PLACED"), ("", "DECIDED")),
        *_branch("PLACED", "reckon", ("some", "PLACED"), ("", "DECIDED")),
        Move("DECIDED", "drop", "DROPPED", effect="another person takes the seat"),
        Move("PLACED", "claim", "CLAIMED", "document", "the payee took it"),
        Move("PLACED", "take_back", "TAKEN_BACK", "document", "574: waived, or he owes the payer himself"),
    ),
    final=frozenset({"DROPPED", "CLAIMED", "TAKEN_BACK"}),
)

# What a payee has to give back after the agreement was set aside (Civil Code 157).
RECOVERY = StateMachine(
    name="recovery",
    initial="OPEN",
    moves=(
        *(m for s in ("OPEN", "PART", "RECOVERED")
          for m in _branch(s, "reckon", ("full", "RECOVERED"), ("part", "PART"), ("", "OPEN"))),
        *_branch("FILED", "reckon", ("full", "RECOVERED"), ("", "FILED")),
        *(Move(s, "file", "FILED", "document", "suit or enforcement") for s in ("OPEN", "PART")),
        *(Move(s, "waive", "WAIVED", "document", "the payer asks no more") for s in ("OPEN", "PART", "FILED")),
    ),
    final=frozenset({"WAIVED"}),
)  # fmt: skip

MACHINES: tuple[StateMachine, ...] = (
    ESCROW, PAYMENT_ORDER, PAYMENT_OUTCOME, INSTALMENT, JUDICIAL_CONFIRMATION, FREEZE, DECISION, RECON_BREAK, DEPOSIT, RECOVERY,
)  # fmt: skip
