"""A second bank: its own XML over HTTP, its day in a 对账文件 of fixed width put into a folder (contract/CONTRACT.md)."""

from __future__ import annotations

from escrow.rail_types import (
    Advice,
    Incoming,
    Instruction,
    OutgoingRequest,
    RailContext,
    Reply,
    SubaccountRequest,
)

from . import dialect
from .statements import statement

__all__ = ["answer", "ask", "open_subaccount", "order", "statement", "verify", "wrap"]


def order(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    """One payment. Raises Refused rather than make bytes that the bank would refuse."""
    return dialect.sealed(dialect.payment(instruction, ctx), "order", instruction.number, ctx)


def wrap(document: bytes, ctx: RailContext) -> OutgoingRequest:
    """The approved document as it goes over the wire."""
    return dialect.sealed(document, "order", "", ctx)


def ask(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    """The query by our serial and its day."""
    return dialect.sealed(dialect.question(instruction, ctx), "ask", instruction.number, ctx)


def open_subaccount(request: SubaccountRequest, ctx: RailContext) -> OutgoingRequest:
    """A sub-account for a case."""
    return dialect.sealed(dialect.opening(request, ctx), "open_subaccount", request.request_id, ctx)


def verify(incoming: Incoming, ctx: RailContext) -> Advice:
    """A reply to a request, or a file from the folder; the bank calls nobody."""
    return (
        statement(incoming.content, ctx) if incoming.channel == "file" else dialect.read_reply(incoming, ctx)
    )


def answer(advice: Advice, result: str, ctx: RailContext) -> Reply:
    """What calls at a door that this bank does not use is told so."""
    return Reply(b"no callbacks", 404)
