"""Ways to pay. The front door of the rails for the escrow core; rails never open a socket (foundation.wire does).

    rails = load_rails() / all_rails() / rail("<id>")          Rail objects by id
    ctx = RailContext(rail.manifest, keys, now, request_id=…, sequence=…, known_order=…, last_statement=…)

    request = rail.order(instruction, ctx)   OutgoingRequest: .document (what is approved: keep it and its digest),
                                             .method .path .headers .body (what goes over the wire: keep for retries)
    request = rail.wrap(document, ctx)       the approved document → wire bytes, when it is sent later than drafted
    request = rail.ask(instruction, ctx)     query by our number
    advice  = rail.verify(Incoming(bytes, channel, operation, number, status), ctx)
                                             callback, reply to order/ask/…, or file; authenticates and reads
    advice  = rail.statement(bytes, ctx)     a bare statement file (XML, CSV, zip)
    reply   = rail.answer(advice, result, ctx)   the HTTP answer to a callback after the core's verdict

What an Advice means (see rail_types):
- `refused` (a finding of scope "message") → nothing moves, nothing is posted, except that an outcome UNKNOWN with it
  means: ask. A finding of scope "row" leaves out that row. `reply` says what the partner is told.
- outcomes: DONE is the rail's word, only a booked StatementLine proves. UNKNOWN never becomes failure by waiting.
- batch: what holds for the file's orders that are not named in outcomes.
- kind "notice": a hint; move nothing, query the numbers in `ask`.
- kind "return": announced only; the ledger waits for the line (`StatementLine.returned`).
- lines: post only `booked` ones, once per `line.key`; `own_account` False = came to the parent account: suspense.
- transport: Wire outcome NOT_SENT → outcome NOT_SENT, Wire outcome UNKNOWN → outcome UNKNOWN, ANSWERED → verify.

Keys in the key store are named after the rail's id: `private_key(id)`, `certificate(id)` ours, `trusted(id)` theirs,
`trusted(id + "_root")` root certificates where the rail wants their serials.
Limits, hours, required fields: escrow.rail_limits reads the manifest.
"""

from escrow.rail_types import (
    Advice,
    BalanceLook,
    BatchOutcome,
    CancelAnswer,
    CancelRequest,
    Incoming,
    Instruction,
    KnownOrder,
    LastStatement,
    OrderOutcome,
    Outcome,
    OutgoingRequest,
    RailContext,
    Reply,
    ReturnAdvice,
    StatementInfo,
    StatementLine,
    SubaccountRequest,
)
from escrow.rails.registry import Rail, all_rails, load_rails, rail

__all__ = [
    "Advice",
    "BalanceLook",
    "BatchOutcome",
    "CancelAnswer",
    "CancelRequest",
    "Incoming",
    "Instruction",
    "KnownOrder",
    "LastStatement",
    "OrderOutcome",
    "Outcome",
    "OutgoingRequest",
    "Rail",
    "RailContext",
    "Reply",
    "ReturnAdvice",
    "StatementInfo",
    "StatementLine",
    "SubaccountRequest",
    "all_rails",
    "load_rails",
    "rail",
]
