"""Where the open contract's calls come in: in front of the framework, on the bare protocol, for the hot routes' sake."""

from __future__ import annotations

import logging
import secrets

from starlette.types import ASGIApp, Receive, Scope, Send

from exchange_api.open_contract import rest, soap
from exchange_api.open_contract.problems import SOAP11, SOAP12, fault, problem
from exchange_api.open_contract.taking import Desk
from exchange_api.open_contract.wire import Answer, Headers, head_faults, read_request, send_answer
from exchange_api.quiet_log import shown
from hub.batches import MOST_ARCHIVE_BYTES
from hub.pipeline import Hub
from schemas.findings import Finding, Refused
from schemas.open_contract import MOST_BODY_BYTES

log = logging.getLogger("concord.exchange")
PREFIX = "/open/"
# An envelope may hold an archive in base64; one with a message has a limit of its own.
MOST_ENVELOPE_BYTES = 8 * 1024 * 1024


class OpenDoor:
    """ASGI middleware: calls under /open are answered here, all others go on."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self.app = app
        self.desk = Desk(hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            self.desk.stop()
            return
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        extra: Headers = []
        answer = await self._answer(scope, receive, extra)
        await send_answer(send, answer, extra)

    async def _answer(self, scope: Scope, receive: Receive, extra: Headers) -> Answer:
        is_soap = scope["path"] == soap.PATH
        media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        version = SOAP12 if media.startswith(b"application/soap+xml") else SOAP11

        def refuse(finding: Finding, status: int = 0) -> Answer:
            return fault([finding], version) if is_soap else problem([finding], status=status)

        try:
            await self.desk.start()
            wrong = head_faults(scope)
            if wrong is not None:
                return refuse(wrong, 431 if wrong.path == "header" else 414 if wrong.path == "url" else 400)
            request = await read_request(scope, receive, _most_bytes(scope["path"]))
            try:
                found = await (soap if is_soap else rest).answer(self.desk, request)
            finally:
                if request.partner:
                    self.desk.inside.leave(request.partner)
            extra += request.extra
            return found
        except Refused as refused:
            return refuse(refused.findings[0])
        except Exception as error:
            # Stored or not, it was not receipted: the sender sends it again, and finds what became of it.
            number = secrets.token_hex(6)
            log.error("fault %s at the open door: %s", number, shown(error))
            return refuse(Finding("UNAVAILABLE", "service", f"fault {number}", "send the same again later"))


def _most_bytes(path: str) -> int:
    """The limit of a body; the partner's own may be lower."""
    if path == soap.PATH:
        return MOST_ENVELOPE_BYTES
    return MOST_ARCHIVE_BYTES if path.startswith(f"{rest.BATCHES}/") else MOST_BODY_BYTES
