"""The daily root: the heads of all chains of both books at the end of a day, joined in one Merkle tree and chained to the last."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

from escrow.results import Result
from foundation.unit_of_work import UnitOfWork


def merkle_root(leaves: list[bytes]) -> bytes:
    """Root over leaves in their order; an odd one is carried up as it is. No leaves: the digest of nothing."""
    if not leaves:
        return sha256(b"").digest()
    level = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def seal_day(uow: UnitOfWork, day: date) -> Result:
    """Write the root of a day that is over, once; heads are those of now, so seal soon after midnight."""
    if uow.scalar("SELECT 1 FROM escrow.day_root WHERE day = :day", day=day) is not None:
        return Result()
    rows = uow.all(
        "SELECT id, last_seq, head FROM escrow.account WHERE last_seq > 0"
        " UNION ALL SELECT id, last_seq, head FROM escrow.ledger_account WHERE last_seq > 0 ORDER BY id"
    )
    leaves = [row["id"].bytes + int(row["last_seq"]).to_bytes(8, "big") + bytes(row["head"]) for row in rows]
    prev = (
        uow.scalar("SELECT root FROM escrow.day_root WHERE day < :day ORDER BY day DESC LIMIT 1", day=day)
        or b""
    )
    root = sha256(bytes(prev) + merkle_root(leaves)).digest()
    uow.execute(
        "INSERT INTO escrow.day_root VALUES (:day, :accounts, :root, :prev, :at)",
        day=day, accounts=len(leaves), root=root, prev=bytes(prev), at=uow.now,
    )  # fmt: skip
    return Result(data={"root": root.hex(), "accounts": len(leaves)})
