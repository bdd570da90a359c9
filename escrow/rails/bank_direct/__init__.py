"""The bank's direct link: ISO 20022 documents in a signed JSON envelope (contract/CONTRACT.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from escrow.rail_types import CancelRequest, Instruction, OutgoingRequest, RailContext
from escrow.rails.bank_direct import camt055, pain001
from escrow.rails.bank_direct.envelope import wrap
from escrow.rails.bank_direct.requests import ask, balance, missed, open_subaccount
from escrow.rails.bank_direct.statement_stream import stream
from escrow.rails.bank_direct.verify import answer, statement, verify

__all__ = [
    "answer",
    "ask",
    "balance",
    "batch",
    "cancel",
    "missed",
    "open_subaccount",
    "order",
    "statement",
    "stream",
    "verify",
    "wrap",
]


def order(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    """One payment: its document, wrapped and signed. Raises Refused rather than make bytes the bank would refuse."""
    return dataclasses.replace(wrap(pain001.build([instruction], ctx), ctx), number=instruction.number)


def batch(instructions: Sequence[Instruction], ctx: RailContext) -> OutgoingRequest:
    """Several payments in one file, up to the manifest's `file_payments`; `number` is the batch's id."""
    request = wrap(pain001.build(instructions, ctx), ctx)
    return dataclasses.replace(request, number=instructions[0].batch_id)


def cancel(request: CancelRequest, ctx: RailContext) -> OutgoingRequest:
    """Ask to cancel payments that were sent; best effort."""
    return dataclasses.replace(wrap(camt055.build(request, ctx), ctx), number=request.cancel_id)
