"""Whatever comes in from Alipay: notify, reply or bill; and our answers to its notifies."""

from __future__ import annotations

import dataclasses

from escrow.rail_types import Advice, Incoming, RailContext, Reply
from escrow.rails.alipay import bill, filed, notify, replies
from schemas.findings import Finding, Refused

SUCCESS, FAIL = b"success", b"fail"


def verify(incoming: Incoming, ctx: RailContext) -> Advice:
    """Authenticate and read what came in. Never raises for bad input: see Advice.findings."""
    if incoming.operation in ("order", "ask", "bill_link"):
        return replies.read(incoming, ctx)
    if incoming.operation == "statement" or _is_bill(incoming):
        return statement(incoming.content, ctx)
    filing = incoming.channel == "file"
    if filing and filed.is_reply(incoming.content):
        return filed.read_reply(incoming, ctx)
    try:
        own = filing and filed.is_own_request(incoming.content)
        advice = filed.read_own_request(incoming, ctx) if own else notify.read(incoming, ctx)
    except Refused as refused:
        advice = Advice("nothing", findings=refused.findings)
    advice = dataclasses.replace(advice, findings=_coded(advice.findings, ctx))
    return dataclasses.replace(
        advice, reply=answer(advice, "REFUSED" if advice.findings else "ACCEPTED", ctx)
    )


def _is_bill(incoming: Incoming) -> bool:
    return incoming.channel == "file" and (
        incoming.content.startswith(b"PK") or incoming.content.startswith(b"#")
    )


def statement(content: bytes, ctx: RailContext) -> Advice:
    """Read a day's bill, csv or zip. Never raises Refused."""
    try:
        return bill.read(content, ctx)
    except Refused as refused:
        return Advice("nothing", findings=refused.findings)


def _coded(findings: tuple[Finding, ...], ctx: RailContext) -> tuple[Finding, ...]:
    codes = ctx.manifest["partner_code"]
    return tuple(dataclasses.replace(f, partner_code=codes.get(f.code, "body `fail`")) for f in findings)


def answer(advice: Advice, result: str, ctx: RailContext) -> Reply:
    """The seven bytes `success`, or `fail`, after which they repeat.

    `result`: ACCEPTED, DUPLICATE, PARKED, QUARANTINED (kept, alarm raised: nothing to repeat), UNAVAILABLE or REFUSED.
    """
    taken = result in ("ACCEPTED", "DUPLICATE", "QUARANTINED") or (
        result in ("REFUSED", "PARKED") and _all_taken(advice)
    )
    return Reply(SUCCESS if taken else FAIL, 200, "text/plain; charset=utf-8")


def _all_taken(advice: Advice) -> bool:
    return bool(advice.findings) and all("success" in f.partner_code for f in advice.findings)
