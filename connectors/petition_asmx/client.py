"""The hub calls the petition office: the list of changed petitions, one petition, one attachment, feedback."""

import json
from datetime import datetime, timedelta
from typing import Any

from connectors.petition_asmx.feedback import WSDL, feedback_message
from connectors.petition_asmx.opening import MESSAGE_BYTES
from connectors.petition_asmx.replies import Result, read_result
from connectors.petition_asmx.tables import NAMESPACE
from foundation.wire import Wire, WireReply
from foundation.zeep_wire import SoapReply, call
from schemas.exchange import ConnectorContext, Outcome, Pulled, RawMessage, SendResult
from schemas.findings import Finding, Refused
from schemas.soap import SOAP11, read_envelope
from schemas.wide import BEIJING

PAGE_SIZE = 50
OVERLAP = timedelta(minutes=5)
_TIME = "%Y-%m-%d %H:%M:%S"
_OPERATION = "FeedbackXfj"


class OfficeAway(Exception):
    """The office cannot be asked now. `kind`: unreachable, busy or refused."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def pull(wire: Wire, ctx: ConnectorContext, kind: str, cursor: str) -> Pulled:
    """One page of the petitions changed in a window that begins five minutes before the last one's end.

    The cursor is the end of the last window, or, inside a window, its bounds and the next page. Petitions of
    the overlap come again and are known by number and version. Raises OfficeAway.
    """
    begin, end, page = _window(ctx, cursor)
    asked = {"KSSJ": begin, "JSSJ": end, "PageIndex": page, "PageSize": PAGE_SIZE}
    reply, result = _ask(wire, ctx, "GetXfjList", {"Jsonstring": json.dumps(asked)})
    rows = result.value.get("Rows")
    count = len(rows) if isinstance(rows, list) else 0
    message = RawMessage(str(ctx.manifest["id"]), "pull", "GetXfjList", reply.raw, ctx.now)
    # Total moves while one pages: a page that is not full is the last.
    if count >= PAGE_SIZE:
        following = json.dumps({"begin": begin, "end": end, "page": page + 1})
        return Pulled((message,), following, more=True)
    return Pulled((message,) if count else (), end)


def _window(ctx: ConnectorContext, cursor: str) -> tuple[str, str, int]:
    now = ctx.now.astimezone(BEIJING)
    if cursor.startswith("{"):
        kept = json.loads(cursor)
        return str(kept["begin"]), str(kept["end"]), int(kept["page"])
    if cursor:
        begin = datetime.strptime(cursor, _TIME).replace(tzinfo=BEIJING) - OVERLAP
    else:
        begin = now - timedelta(days=int(ctx.manifest["pull"]["first_days"]))
    # A clock that was set back must not turn the window round.
    return min(begin, now).strftime(_TIME), now.strftime(_TIME), 0


def acknowledge(wire: Wire, ctx: ConnectorContext, message: RawMessage, outcome: Outcome) -> None:
    """Nothing to say: the office knows no acknowledgement of what was pulled."""


def get_petition(wire: Wire, ctx: ConnectorContext, number: str) -> RawMessage:
    """One petition as it stands. Its parameter alone is called jsonString (habit 2). Raises OfficeAway."""
    reply, _ = _ask(wire, ctx, "GetXfj", {"jsonString": json.dumps({"XFJBH": number})})
    return RawMessage(str(ctx.manifest["id"]), "reply", "GetXfj", reply.raw, ctx.now)


def get_attachment(wire: Wire, ctx: ConnectorContext, number: str, name: str) -> dict[str, Any]:
    """One attachment: WJM, WJNR (base64), WJDX, MD5. Raises OfficeAway."""
    asked = json.dumps({"XFJBH": number, "WJM": name}, ensure_ascii=False)
    return _ask(wire, ctx, "GetFj", {"Jsonstring": asked})[1].value


def _ask(
    wire: Wire, ctx: ConnectorContext, operation: str, parameter: dict[str, str]
) -> tuple[SoapReply, Result]:
    reply = call(
        wire, WSDL, service_address(ctx), operation, timeout_s=30.0, http_headers=_token(ctx), **parameter
    )
    if reply.fault is not None:
        raise OfficeAway("unreachable", f"fault: {reply.fault.message}"[:300])
    if reply.outcome != "ANSWERED":
        refused = reply.status in (401, 403)
        raise OfficeAway("refused" if refused else "unreachable", reply.error or f"HTTP {reply.status}")
    # HTTP 200 is no success: the text says what became of the call (habit 10).
    result = read_result(str(reply.value or ""), operation, f"{operation}Result")
    if result.ok:
        return reply, result
    kind = "busy" if result.code == "E99" else "refused" if result.ok is False else "unreachable"
    raise OfficeAway(kind, f"{operation}: {result.code} {result.text}".strip()[:300])


def build(operation: str, body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """Wire bytes of an operation. Raises Refused when the body cannot be told to the office."""
    if operation != _OPERATION:
        raise Refused(Finding("CODE_UNKNOWN", "operation", operation[:40], _OPERATION))
    return feedback_message(body, ctx)


def send(wire: Wire, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    """Send kept bytes under this month's token."""
    headers = {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": f'"{NAMESPACE}{operation}"',
        **_token(ctx),
    }
    return result_of(
        wire.request("POST", service_address(ctx), headers=headers, content=content, timeout_s=30.0),
        operation,
    )


def result_of(reply: WireReply, operation: str) -> SendResult:
    """What a reply means: E06 is final, E99 is to be tried again, a fault of IIS leaves the outcome unknown."""
    if reply.outcome != "ANSWERED":
        return SendResult(
            "RETRY" if reply.outcome == "NOT_SENT" else "UNKNOWN", "", reply.error, reply.content
        )
    if reply.status in (401, 403):
        return SendResult("RETRY", f"HTTP {reply.status}", "the token is not accepted", reply.content)
    try:
        envelope = read_envelope(reply.content, max_bytes=MESSAGE_BYTES, versions=(SOAP11,))
    except Refused as refused:
        return SendResult("UNKNOWN", f"HTTP {reply.status}", str(refused)[:300], reply.content)
    if envelope.name == "Fault":
        text = " ".join(" ".join(map(str, envelope.payload.itertext())).split())
        return SendResult("UNKNOWN", "FAULT", text[:300], reply.content)
    result = read_result(envelope.text(f"{operation}Result") or "", operation, f"{operation}Result")
    if result.ok:
        return SendResult("DELIVERED", "1", result.text, reply.content)
    if result.ok is None:
        return SendResult("UNKNOWN", "", result.text[:300], reply.content)
    return SendResult(
        "RETRY" if result.code == "E99" else "PERMANENT", result.code, result.text, reply.content
    )


def service_address(ctx: ConnectorContext) -> str:
    """Where the office's service is."""
    return ctx.base_url.rstrip("/") + str(ctx.manifest["paths"]["service"])


def _token(ctx: ConnectorContext) -> dict[str, str]:
    return {"X-XF-Token": ctx.keys.secret(f"{ctx.manifest['id']}.token")}
