"""Evidence: what happened to a message, in a container that anybody can check offline (exchange rule 9).

``export`` makes containers of messages that came or went; each shows the message's last fate. A message can be shown
once its journal line is sealed and its batch stamped, a second or so after its fate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from foundation import merkle
from foundation.cades import Signer, evidence_signer
from foundation.directory import Partner
from foundation.envelope import content_of, vault_of
from foundation.evidence_container import batch_json, container
from foundation.sealing import GENESIS, chain_hash, line_bytes
from foundation.unit_of_work import UnitOfWork
from hub import sharing
from schemas.findings import Finding, Refused

Way = Literal["in", "out"]
CONTAINER = "application/vnd.etsi.asic-e+zip"
# Messages of one run, and how many are held in memory at once.
MOST_A_RUN = 20_000
AT_ONCE = 200
BYTES_AT_ONCE = 32_000_000

_LINE = """
    l.id AS line_id, l.day, l.shard, l.no, l.at, l.kind, l.ref, l.digest, l.actor, l.detail, l.batch, l.leaf, l.hash,
    (SELECT p.hash FROM exchange.journal p WHERE p.day = l.day AND p.shard = l.shard AND p.no = l.no - 1) AS prev"""
_IN = f"""
SELECT m.id, m.content, m.data_key, m.headers::text AS headers, (m.result -> 'outcome')::text AS outcome, m.receipt,
    NULL::bytea AS reply, NULL::bytea AS reply_key, {_LINE}
FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS g (id, place) JOIN exchange.inbox m ON m.id = g.id
LEFT JOIN LATERAL (SELECT * FROM exchange.journal j WHERE j.ref = m.partner || '/' || COALESCE(m.message_id, m.id::text)
    AND j.detail ->> 'inbox' = m.id::text AND j.kind = lower(m.state) ORDER BY j.id DESC LIMIT 1) l ON true
ORDER BY g.place"""
_OUT = f"""
SELECT m.id, m.content, m.data_key, NULL AS headers, NULL AS outcome, NULL::bytea AS receipt, t.reply,
    t.data_key AS reply_key, {_LINE}
FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS g (id, place) JOIN exchange.outbox m ON m.id = g.id
LEFT JOIN LATERAL (SELECT * FROM exchange.journal j WHERE j.ref = m.partner || '/' || m.message_id
    AND j.detail ->> 'outbox' = m.id::text ORDER BY j.id DESC LIMIT 1) l ON true
LEFT JOIN exchange.outbox_attempt t ON t.outbox = m.id AND t.attempt = (l.detail ->> 'attempt')::int
ORDER BY g.place"""


@dataclass(frozen=True)
class Evidence:
    """One message's container; ``missing`` says why there is none (the code of a finding, and its text)."""

    id: UUID
    name: str
    content: bytes
    missing: Finding | None = None


@dataclass(frozen=True)
class _Batch:
    """A stamped batch, with its tree built once for all its messages."""

    named: bytes
    token: bytes
    leaves: bytes
    tree: list[list[bytes]]


def choose(
    uow: UnitOfWork,
    *,
    way: Way = "in",
    partner: str = "",
    message_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[UUID]:
    """Messages by partner, id and time (``since`` ≤ received or made < ``until``), oldest first; at most MOST_A_RUN."""
    table, at = ("inbox", "received_at") if way == "in" else ("outbox", "created_at")
    rows = uow.all(
        f"SELECT id FROM exchange.{table} WHERE (:partner = '' OR partner = :partner)"
        " AND (:message_id = '' OR message_id = :message_id)"
        f" AND (CAST(:since AS timestamptz) IS NULL OR {at} >= :since)"
        f" AND (CAST(:until AS timestamptz) IS NULL OR {at} < :until) ORDER BY seq LIMIT :most",
        partner=partner,
        message_id=message_id,
        since=since,
        until=until,
        most=MOST_A_RUN,
    )
    return [row["id"] for row in rows]


def export(uow: UnitOfWork, ids: Sequence[UUID], way: Way = "in") -> Iterator[Evidence]:
    """Containers of these messages, in their order, signed with the evidence key of the hub's key store.

    ``way``: messages that came ("in") or went ("out"). A message that cannot be shown yet, or any more, comes with
    ``missing`` set: EVIDENCE_NOT_READY, EVIDENCE_BROKEN (what is stored is not what was sealed) or NOT_FOUND.
    """
    signer = lru_cache(maxsize=1)(lambda: evidence_signer(vault_of(uow).keys))
    batches: dict[int, _Batch] = {}
    for some in _portions(uow, ids, way):
        rows = uow.all(_IN if way == "in" else _OUT, ids=some)
        _load(uow, {row["batch"] for row in rows if row["batch"] is not None}, batches)
        for row in rows:
            try:
                yield Evidence(row["id"], _name(row), _container(uow, row, batches, signer))
            except Refused as refused:
                yield Evidence(row["id"], "", b"", refused.findings[0])
        for gone in set(some) - {row["id"] for row in rows}:
            yield Evidence(gone, "", b"", Finding("NOT_FOUND", "id", str(gone), "a message of ours"))


def _portions(uow: UnitOfWork, ids: Sequence[UUID], way: Way) -> Iterator[list[UUID]]:
    """The ids in portions of at most AT_ONCE messages and, but for a single larger one, BYTES_AT_ONCE."""
    size = "m.size" if way == "in" else "COALESCE(octet_length(m.content), 0)"
    table = "inbox" if way == "in" else "outbox"
    for start in range(0, len(ids), AT_ONCE):
        some = list(ids[start : start + AT_ONCE])
        rows = uow.all(
            f"SELECT m.id, {size} AS size FROM exchange.{table} m WHERE m.id = ANY(:ids)", ids=some
        )
        sizes = {row["id"]: row["size"] for row in rows}
        portion: list[UUID] = []
        held = 0
        for each in some:
            if portion and held + sizes.get(each, 0) > BYTES_AT_ONCE:
                yield portion
                portion, held = [], 0
            portion.append(each)
            held += sizes.get(each, 0)
        yield portion


def evidence(uow: UnitOfWork, caller: Partner, asked: dict[str, Any]) -> bytes:
    """For a partner: the container of a message that it sent us (``message_id``) or that we sent it (``way``: out).

    Raises Refused: NOT_FOUND, EVIDENCE_NOT_READY (ask again in a second or two), EVIDENCE_BROKEN.
    """
    way: Way = "out" if asked.get("way") == "out" else "in"
    message_id = str(asked.get("message_id", ""))
    found = choose(uow, way=way, partner=caller.id, message_id=message_id) if message_id else []
    if way == "out":
        found = [each for each in found if _may_be_seen(uow, each)]
    made = [each for each in export(uow, found[:AT_ONCE], way) if each.missing is None or len(found) == 1]
    if not made:
        raise Refused(
            Finding("NOT_FOUND", "/message_id", message_id[:100], "a message that you sent or were sent")
        )
    if made[0].missing is not None:
        raise Refused(made[0].missing)
    return made[0].content


def _may_be_seen(uow: UnitOfWork, message: UUID) -> bool:
    """A message that never reached the partner, and whose sharing agreement has ended, does not leave as evidence either."""
    row = uow.one("SELECT partner, state, agreement FROM exchange.outbox WHERE id = :id", id=message)
    assert row is not None
    return row["state"] == "DELIVERED" or sharing.still_shared(uow, row["partner"], row["agreement"])


def _load(uow: UnitOfWork, wanted: set[int], batches: dict[int, _Batch]) -> None:
    """Read the stamped batches that are not there yet; old ones go, so that a long run stays small."""
    if len(batches) > AT_ONCE:
        batches.clear()
    rows = uow.all(
        "SELECT no, lines, leaves, root, token FROM exchange.journal_batch WHERE no = ANY(:no) AND token IS NOT NULL",
        no=sorted(wanted - batches.keys()),
    )
    for row in rows:
        leaves = bytes(row["leaves"])
        tree = merkle.levels([leaves[at : at + 32] for at in range(0, len(leaves), 32)])
        named = batch_json(row["no"], row["lines"], bytes(row["root"]))
        if tree[-1][0] == bytes(row["root"]):  # else all its messages are broken, and said to be
            batches[row["no"]] = _Batch(named, bytes(row["token"]), leaves, tree)
        else:
            batches[row["no"]] = _Batch(named, bytes(row["token"]), b"", [])


def _container(
    uow: UnitOfWork, row: RowMapping, batches: dict[int, _Batch], signer: Callable[[], Signer]
) -> bytes:
    batch = batches.get(row["batch"])
    if row["line_id"] is None or batch is None:
        state = (
            "not decided"
            if row["line_id"] is None
            else "not sealed"
            if row["batch"] is None
            else "not stamped"
        )
        raise Refused(Finding("EVIDENCE_NOT_READY", "message", state, "its fate, sealed and time-stamped"))
    prev = bytes(row["prev"]) if row["no"] > 1 else GENESIS
    line = line_bytes(row, row["no"])
    leaf = batch.leaves[row["leaf"] * 32 : row["leaf"] * 32 + 32]
    if chain_hash(prev, line) != leaf:
        raise Refused(Finding("EVIDENCE_BROKEN", "journal", f"line {row['line_id']}", "as it was sealed"))
    path = [[side, beside.hex()] for side, beside in merkle.path_of(batch.tree, row["leaf"])]
    parts = {
        **_message(uow, row),
        "line.json": line,
        "proof.json": orjson.dumps({"prev": prev.hex(), "hash": leaf.hex(), "path": path}),
    }
    return container(parts, batch.named, batch.token, signer(), uow.now)


def _message(uow: UnitOfWork, row: RowMapping) -> dict[str, bytes]:
    """The parts that the line binds, compared with it. An erased message is shown by its hash alone."""
    parts: dict[str, bytes] = {}
    told = {name: row["detail"].get(name) for name in ("headers", "outcome", "receipt", "reply")}
    if row["content"] is not None and row["data_key"] is not None:
        parts["message.bin"] = content_of(uow, row)
        told["message"] = bytes(row["digest"]).hex()
    for name in ("headers", "outcome"):
        if row[name] is not None:
            parts[f"{name}.json"] = row[name].encode()
    if row["receipt"] is not None:
        parts["receipt.json"] = bytes(row["receipt"])
    if row["reply"] is not None:
        parts["reply.bin"] = content_of(
            uow, {"id": row["id"], "content": row["reply"], "data_key": row["reply_key"]}
        )
    for name, content in parts.items():
        found = sha256(content).hexdigest()
        if found != told[name.split(".")[0]]:
            raise Refused(Finding("EVIDENCE_BROKEN", name, f"SHA-256 {found}", str(told[name.split(".")[0]])))
    return parts


def _name(row: RowMapping) -> str:
    """A file name: the message's own name as far as file names allow it, and our id."""
    plain = "".join(each if each.isalnum() or each in "-_." else "_" for each in str(row["ref"]))[:100]
    return f"{plain.lstrip('.')}-{row['id']}.asice"
