"""Calls a partner's address, signed as a delivery is, and says in plain words what fails and who mends it."""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from connectors import all_connectors
from foundation import http_signature, local_ca, partners
from foundation.directory import load, own_key
from foundation.http_signature import Parts
from foundation.unit_of_work import UnitOfWork
from hub.partner_desk import own_key_name
from hub.pipeline import Hub

CONNECT_S = 5.0
ANSWER_S = 10.0


@dataclass(frozen=True)
class Step:
    """One thing that was tried. ``mend``: what to do about it, and who."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def call(hub: Hub, uow: UnitOfWork, partner_id: str) -> list[dict[str, Any]]:
    """Try the partner's address step by step, up to the first that fails. Raises Refused: no such partner."""
    return [asdict(step) for step in _steps(hub, uow, partner_id)]


def _steps(hub: Hub, uow: UnitOfWork, partner_id: str) -> Iterator[Step]:
    address = _address(hub, uow, partner_id)
    told = urlsplit(address)
    if told.scheme not in ("http", "https") or not told.hostname:
        yield Step(
            "address",
            False,
            address or "none",
            f"enter it: ./concord partner change {partner_id} --deliver URL",
        )
        return
    yield Step("address", True, address)
    port = told.port or (443 if told.scheme == "https" else 80)
    reached = _reach(told.hostname, port)
    yield reached
    if not reached.ok:
        return
    if told.scheme == "https":
        shaken = _tls(hub, told.hostname, port)
        yield shaken
        if not shaken.ok:
            return
    yield _answer(hub, uow, partner_id, address)


def _address(hub: Hub, uow: UnitOfWork, partner_id: str) -> str:
    """Where we call it: an adapter's address, the one that was entered, or that of its oldest webhook in force."""
    if partner_id in all_connectors():
        return hub.settings.partner_url(partner_id)
    entered = partners.partner(uow, partner_id)["addresses"].get("deliver", "")
    webhook = uow.scalar(
        "SELECT address FROM exchange.subscription WHERE partner = :p AND kind = 'webhook' AND state = 'ACTIVE'"
        " ORDER BY created_at LIMIT 1", p=partner_id,
    )  # fmt: skip
    return str(entered or webhook or "")


def _reach(host: str, port: int) -> Step:
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return Step(
            "name", False, f"{host}: {error.strerror}", "the name is unknown: check the spelling, or our DNS"
        )
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return Step("connection", True, f"{host} port {port}")
    except ConnectionRefusedError:
        return Step(
            "connection", False, "refused", f"nothing listens on port {port}: the partner's service is down"
        )
    except TimeoutError:
        wanted = "a firewall drops it, theirs or ours: have our address let in"
        return Step("connection", False, f"no answer in {CONNECT_S:g} s", wanted)
    except OSError as error:
        return Step("connection", False, str(error), "no way there: ask the network's people")


def _tls(hub: Hub, host: str, port: int) -> Step:
    context = _context(hub)
    try:
        with (
            socket.create_connection((host, port), CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as link,
        ):
            return Step("tls", True, f"{link.version()}, {link.cipher()[0]}")  # type: ignore[index]
    except ssl.SSLCertVerificationError as error:
        mend = {
            10: "their certificate has run out: they must renew it",
            18: "they use a certificate signed by itself: put it into trusted/partners in the key folder",
            19: "their issuer is unknown here: put its certificate into trusted/partners in the key folder",
            20: "their issuer is unknown here: put its certificate into trusted/partners in the key folder",
            **dict.fromkeys(
                (62, 64), f"their certificate is for another name than {host}: correct one of the two"
            ),
        }.get(error.verify_code, "their certificate does not hold")
        return Step("tls", False, error.verify_message, mend)
    except (ssl.SSLError, OSError) as error:
        return Step("tls", False, str(error)[:200], "their port does not speak TLS 1.2 or newer: is it http?")


def _context(hub: Hub) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for path in [
        hub.keys.folder / f"{local_ca.CA}.crt",
        *(hub.keys.folder / "trusted" / "partners").glob("*.crt"),
    ]:
        if path.exists():
            context.load_verify_locations(cafile=str(path))
    return context


def _answer(hub: Hub, uow: UnitOfWork, partner_id: str, address: str) -> Step:
    told = urlsplit(address)
    headers = {"host": told.netloc, "content-type": "application/json"}
    body = orjson.dumps({"type": "concord.test", "partner": partner_id, "at": uow.now.isoformat()})
    key = own_key(load(uow.conn), partner_id, "http", uow.now)
    if key is not None:
        parts = Parts(
            "POST", told.scheme, told.netloc, told.path or "/", told.query, tuple(headers.items()), body
        )
        headers |= http_signature.sign(
            parts, key=hub.keys.signing_key(own_key_name(key.id)), key_id=key.id, now=uow.now,
            nonce=secrets.token_urlsafe(16),
        )  # fmt: skip
    begin = time.monotonic()
    try:
        with httpx.Client(verify=_context(hub), timeout=ANSWER_S, trust_env=False) as client:
            status = client.post(address, content=body, headers=headers).status_code
    except httpx.TimeoutException:
        return Step("answer", False, f"none in {ANSWER_S:g} s", "their service hangs: ask their people")
    except httpx.HTTPError as error:
        return Step(
            "answer",
            False,
            f"{type(error).__name__}: {error}"[:200],
            "the connection broke: ask their people",
        )
    took = f"HTTP {status} in {time.monotonic() - begin:.2f} s" + (
        f", signed by {key.id}" if key else ", not signed"
    )
    return Step("answer", 200 <= status < 300, took, _mend(status, key.id if key else ""))


def _mend(status: int, key_id: str) -> str:
    if 200 <= status < 300:
        return ""
    if status in (401, 403):
        return f"they do not accept our signature: have they entered our key {key_id}, is their clock right?"
    if status in (404, 405, 410):
        return "there is no such address at their service: correct it with ./concord partner change"
    if 300 <= status < 400:
        return "they point elsewhere; we never follow: enter the final address"
    if status == 429:
        return "they limit our rate: lower send_per_s, or have theirs raised"
    if status >= 500:
        return "their service has a fault of its own: ask their people, with the time of this call"
    return "they refuse the test message: is the address for deliveries in JSON?"
