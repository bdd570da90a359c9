"""Calls to the court's service: one ticket of 30 minutes, asked for again once when it is dead (C9003)."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from lxml import etree

from connectors.court_feed.tables import HERE
from foundation.wire import Wire
from foundation.zeep_wire import SoapReply, call
from schemas.exchange import ConnectorContext

WSDL = HERE / "contract" / "court-exchange.wsdl"
DEAD_TICKET = "C9003"
BUSY = ("C9007", "C9029")
_LIFE = timedelta(minutes=29)
"""A minute less than the contract's 30, which count from the issue and not from the last use."""


class CourtAway(Exception):
    """The court cannot be asked now. `kind`: unreachable, busy (maintenance or rate) or refused."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def service_address(ctx: ConnectorContext) -> str:
    """Where the court's SOAP service is."""
    return ctx.base_url.rstrip("/") + str(ctx.manifest["paths"]["soap"])


def secret(ctx: ConnectorContext, name: str) -> str:
    """A shared secret of this partner. Raises KeyMissing where the set-up did not make it."""
    return ctx.keys.secret(f"{ctx.manifest['id']}.{name}")


def ticket(wire: Wire, ctx: ConnectorContext, *, renew: bool = False) -> str:
    """The live ticket, from the kept state or by logging in. Raises CourtAway.

    A second log-in kills the first ticket, so the kept one is used as long as it may live.
    """
    kept = ctx.state.get("ticket")
    if kept and not renew and ctx.now < datetime.fromisoformat(kept["at"]) + _LIFE:
        return str(kept["ticket"])
    ctx.state.pop("ticket", None)
    password = hashlib.md5(secret(ctx, "password").encode(), usedforsecurity=False).hexdigest()
    reply = call(wire, WSDL, service_address(ctx), "Login", user=secret(ctx, "user"), passwordMd5=password)
    code, text = code_of(reply)
    if reply.outcome != "ANSWERED":
        raise CourtAway("unreachable", reply.error)
    found = getattr(reply.value, "ticket", None)
    if code != "C0000" or not found:
        raise CourtAway("busy" if code in BUSY else "refused", f"Login: {code} {text}".strip())
    ctx.state["ticket"] = {"ticket": str(found), "at": ctx.now.isoformat()}
    return str(found)


def ask(wire: Wire, ctx: ConnectorContext, operation: str, **fields: Any) -> SoapReply:
    """Call an operation under the live ticket; a dead one is renewed once. Raises CourtAway when there is no
    ticket to be had; every other trouble is in the reply.
    """
    reply = call(
        wire, WSDL, service_address(ctx), operation, ticket=ticket(wire, ctx), timeout_s=60.0, **fields
    )
    if code_of(reply)[0] == DEAD_TICKET:
        renewed = ticket(wire, ctx, renew=True)
        reply = call(wire, WSDL, service_address(ctx), operation, ticket=renewed, timeout_s=60.0, **fields)
    return reply


def code_of(reply: SoapReply) -> tuple[str, str]:
    """Code and text of an answer: a business code, or that of the ServiceFault inside a fault."""
    if reply.fault is not None:
        parts: dict[str, str] = {}
        detail = reply.fault.detail
        for element in detail.iter() if detail is not None else ():
            if isinstance(element.tag, str):
                parts.setdefault(etree.QName(element).localname, (element.text or "").strip())
        return parts.get("code", ""), parts.get("text", "") or str(reply.fault.message or "")
    return str(getattr(reply.value, "code", "") or ""), str(getattr(reply.value, "message", "") or "")
