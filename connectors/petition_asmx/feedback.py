"""FeedbackXfj: where the case is, in fixed words (codes.toml). Nothing of the parties' offers can leave, because
no text and no sum of the body is read.

Body of the outbox row:
- `native_id`: XFJBH
- `event`: taken_up, agreed, failed, performed, defaulted, or another one with `stage`
- `stage`: the dispute's stage word
- `organisation`: who took it up; `unit`: who feeds back (default by manifest)
- `on`: ISO date or time; default the time of building
"""

import json
from datetime import datetime
from typing import Any

from connectors.petition_asmx.tables import CODES, HERE
from foundation.zeep_wire import message
from schemas.exchange import ConnectorContext
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING

WSDL = HERE / "contract" / "XfService.asmx.wsdl"


def feedback_message(body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """The SOAP message. Raises Refused: no petition number, neither a known event nor a known stage."""
    number = str(body.get("native_id") or "")
    if not number:
        raise Refused(Finding("FIELD_MISSING", "native_id", "absent", "XFJBH"))
    told = {
        "XFJBH": number,
        "FKNR": words(body, ctx),
        "FKSJ": _time(body, ctx),
        "FKDW": str(body.get("unit") or ctx.manifest["sender"]["unit"]),
    }
    return message(WSDL, "FeedbackXfj", Jsonstring=json.dumps(told, ensure_ascii=False))


def words(body: dict[str, Any], ctx: ConnectorContext) -> str:
    """The fixed words for an event, or else for a stage."""
    event, stage = str(body.get("event") or ""), str(body.get("stage") or "")
    found = CODES["feedback"]["events"].get(event) or CODES["feedback"]["stages"].get(stage)
    if not found:
        known = ", ".join((*CODES["feedback"]["events"], *CODES["feedback"]["stages"]))
        raise Refused(Finding("CODE_UNKNOWN", "event", f"{event} {stage}".strip()[:60], known))
    organisation = str(body.get("organisation") or ctx.manifest["sender"]["organisation"])
    return str(found).format(organisation=organisation)


def _time(body: dict[str, Any], ctx: ConnectorContext) -> str:
    moment = datetime.fromisoformat(str(body["on"])) if body.get("on") else ctx.now
    if moment.tzinfo is not None:
        moment = moment.astimezone(BEIJING)
    return moment.strftime("%Y-%m-%d %H:%M")
