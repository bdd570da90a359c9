"""No signature is taken twice: each one's mark is written with the message that it came with.

The mark is of the nonce (HTTP) or of the signature's own bytes (WS-Security); its slot is the signature's expiry in
steps of five minutes, so that a replay falls into the same slot and old slots are forgotten whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding, Refused

SLOT_S = 300
SKEW_S = 60


@dataclass(frozen=True)
class Proof:
    """What is remembered of one signature: 16 bytes, and the slot of its expiry."""

    slot: int
    mark: bytes
    path: str = "signature"


def proof_of(partner: str, kind: str, once: bytes, expires: float, path: str) -> Proof:
    """The proof of a signature by its nonce or value; ``expires`` in seconds of the epoch."""
    whole = b"\0".join((partner.encode(), kind.encode(), once))
    return Proof(int(expires // SLOT_S), hashlib.sha256(whole).digest()[:16], path)


def first_time(uow: UnitOfWork, proofs: Sequence[Proof]) -> list[bool]:
    """Remember signatures in this transaction; for each, whether it had not been seen before.

    One that another transaction is just remembering is waited for. The caller commits this together with what the
    signed messages do, so that a message that failed may come again.
    """
    if not proofs:
        return []
    # In one order everywhere: two transactions that remember the same two never wait for each other in a circle.
    ordered = sorted({(each.slot, each.mark) for each in proofs})
    rows = uow.execute(
        "INSERT INTO exchange.signature_seen (slot, proof) SELECT * FROM unnest(CAST(:slots AS int[]),"
        " CAST(:marks AS bytea[])) ON CONFLICT DO NOTHING RETURNING slot, proof",
        slots=[slot for slot, _ in ordered], marks=[mark for _, mark in ordered],
    )  # fmt: skip
    new = {(int(row["slot"]), bytes(row["proof"])) for row in rows.mappings()}
    found: list[bool] = []
    for each in proofs:
        key = (each.slot, each.mark)
        found.append(key in new)
        new.discard(key)
    return found


def once(uow: UnitOfWork, proof: Proof | None) -> None:
    """Remember one signature. Raises Refused: NONCE_REPLAYED when it came before. None (TLS alone) passes."""
    if proof is not None and not first_time(uow, [proof])[0]:
        wanted = "a signature not used before: sign again, with the same message id"
        raise Refused(Finding("NONCE_REPLAYED", proof.path, "seen before", wanted))


def forget(uow: UnitOfWork) -> int:
    """Delete the marks of signatures that could not be taken any more anyway; how many."""
    oldest = int((uow.now.timestamp() - SKEW_S) // SLOT_S) - 1
    return uow.execute("DELETE FROM exchange.signature_seen WHERE slot < :oldest", oldest=oldest).rowcount
