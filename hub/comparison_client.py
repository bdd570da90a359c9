"""Asks a partner for its side of a comparison: three calls, JSON over HTTP, signed like our deliveries.

A partner that connects by the open contract answers them below the address that it entered as ``compare``; an adapter
answers in its own way where its manifest says ``compares_holdings`` and its client has ``compare``.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from connectors import Connector, all_connectors
from foundation import http_signature, partners
from foundation.directory import load, own_key
from foundation.http_signature import Parts
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub.comparing import AnswerBroken
from hub.partner_desk import own_key_name
from hub.pipeline import Hub
from hub.pulling import PartnerAway
from hub.sending import connector_context
from schemas.exchange import ConnectorContext
from schemas.holdings import MOST_IDS, Answer, Held, Range, Sum, Way

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
"""One call: name (days, ranges, messages) and body → the answer's JSON."""
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Fetched:
    """A message that was asked for: its bytes as first sent, and the message that took it back, where there is one."""

    id: str
    content: bytes
    withdrawn_by: bytes = b""


def comparing_partners(uow: UnitOfWork) -> list[str]:
    """Ids of the partners that offer the comparison."""
    rows = [
        row["id"]
        for row in partners.partners(uow)
        if row["addresses"].get("compare") and row["state"] == "active"
    ]
    adapters = [
        each.id for each in all_connectors().values() if each.has("compares_holdings") and hasattr(each.client, "compare")
    ]  # fmt: skip
    return sorted([*rows, *adapters])


def ask_of(hub: Hub, wire: Wire, partner_id: str) -> Ask:
    """How this partner is asked. Raises PartnerAway (not_configured), Refused (no such partner)."""
    adapter = all_connectors().get(partner_id)
    if adapter is not None:
        with unit_of_work(hub.engine) as uow:
            context = connector_context(hub, uow, adapter)
        if adapter.client is None or not hasattr(adapter.client, "compare") or not context.base_url:
            raise PartnerAway(partner_id, "not_configured", "offers no comparison, or has no address")
        return lambda name, body: _by_adapter(adapter, wire, context, name, body)
    with unit_of_work(hub.engine) as uow:
        address = str(partners.partner(uow, partner_id)["addresses"].get("compare", "")).rstrip("/")
    if not address:
        raise PartnerAway(partner_id, "not_configured", "no address for comparison is entered")
    return lambda name, body: _call(hub, wire, partner_id, f"{address}/{name}", body)


def _by_adapter(
    adapter: Connector, wire: Wire, context: ConnectorContext, name: str, body: dict[str, Any]
) -> dict[str, Any]:
    assert adapter.client is not None
    try:
        found = adapter.client.compare(wire, context, name, body)
    except Exception as error:
        raise PartnerAway(adapter.id, getattr(error, "kind", "unreachable"), str(error)) from error
    if not isinstance(found, dict):
        raise AnswerBroken(f"{adapter.id}: {name}: not an object")
    return found


def _call(hub: Hub, wire: Wire, partner_id: str, url: str, told: dict[str, Any]) -> dict[str, Any]:
    body = orjson.dumps(told)
    reply = wire.request(
        "POST", url, headers=_signed(hub, partner_id, url, body), content=body, timeout_s=TIMEOUT_S
    )
    if reply.outcome != "ANSWERED" or reply.status is None:
        raise PartnerAway(partner_id, "unreachable", reply.error)
    if reply.status != 200:
        kind = "refused" if reply.status in (401, 403) else "busy" if reply.status == 429 else "unreachable"
        raise PartnerAway(partner_id, kind, f"HTTP {reply.status}")
    try:
        found = orjson.loads(reply.content)
    except orjson.JSONDecodeError as error:
        raise AnswerBroken(f"{url}: {error}") from None
    if not isinstance(found, dict):
        raise AnswerBroken(f"{url}: not an object")
    return found


def _signed(hub: Hub, partner_id: str, url: str, body: bytes) -> dict[str, str]:
    told = urlsplit(url)
    headers = {"host": told.netloc, "content-type": "application/json"}
    with unit_of_work(hub.engine) as uow:
        key, now = own_key(load(uow.conn), partner_id, "http", uow.now), uow.now
    if key is None:
        return headers
    parts = Parts(
        "POST", told.scheme, told.netloc, told.path or "/", told.query, tuple(headers.items()), body
    )
    return headers | http_signature.sign(
        parts,
        key=hub.keys.signing_key(own_key_name(key.id)),
        key_id=key.id,
        now=now,
        nonce=secrets.token_urlsafe(16),
    )


class TheirHoldings:
    """The partner's side, one way; what it answers is read strictly."""

    def __init__(self, ask: Ask, way: Way) -> None:
        self._ask = ask
        self._way = way

    def days(self, since: str, until: str) -> dict[str, Sum]:
        """Each day's sum. Raises AnswerBroken, PartnerAway."""
        told = self._ask("days", {"way": self._way, "since": since, "until": until})
        with _reading("days"):
            return {_text(row["day"]): _sum(row) for row in told["days"]}

    def ranges(self, asked: Sequence[Range]) -> list[Answer]:
        """What is in each of these ranges. Raises AnswerBroken, PartnerAway."""
        body = {"way": self._way, "ranges": [{"day": each.day, "prefix": each.prefix} for each in asked]}
        told = self._ask("ranges", body)
        with _reading("ranges"):
            return [_answer(each, row) for each, row in zip(asked, told["ranges"], strict=True)]


def fetch(ask: Ask, ids: Sequence[str]) -> Iterator[Fetched]:
    """These messages of theirs, MOST_IDS a call; one that was not asked for is refused. Raises AnswerBroken, PartnerAway."""
    for start in range(0, len(ids), MOST_IDS):
        portion = list(ids[start : start + MOST_IDS])
        told = ask("messages", {"ids": portion})
        with _reading("messages"):
            for row in told["messages"]:
                if row["id"] not in portion:
                    raise AnswerBroken(f"message {row['id']!r} was not asked for")
                yield Fetched(
                    row["id"], _bytes(row["content_base64"]), _bytes(row.get("withdrawn_by_base64", ""))
                )


class _reading:
    """Turns a wrong shape into AnswerBroken."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            raise AnswerBroken(f"{self.what}: {type(error).__name__}: {error}"[:300]) from None


def _answer(asked: Range, row: dict[str, Any]) -> Answer:
    if "parts" in row:
        return Answer(parts={_text(part["prefix"]): _sum(part) for part in row["parts"]})
    return Answer(
        entries=tuple(
            Held(asked.day, _text(each["id"]), _text(each["digest"]), bool(each.get("withdrawn", False)))
            for each in row["entries"]
        )
    )


def _sum(row: dict[str, Any]) -> Sum:
    return Sum(int(row["count"]), _text(row["hash"]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(f"text of at most 200 characters, not {value!r:.60}")
    return value


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)
