"""Takes a message of the petition office apart: which operation, which text, or a sheet."""

import re
from dataclasses import dataclass
from typing import Literal

from connectors.petition_asmx.tables import NAMESPACE
from schemas.exchange import RawMessage
from schemas.findings import Finding, Refused
from schemas.sheet_safe import is_sheet
from schemas.soap import SOAP11, action_contradicts, read_envelope

MESSAGE_BYTES = 28 * 1024 * 1024
"""A text of 20 MB, its escapes and the envelope."""
PUSHED = ("AddXfj", "UpdateXfj", "RevokeXfj")
CALLED = ("GetXfjList", "GetXfj", "GetFj", "FeedbackXfj")


@dataclass(frozen=True)
class Opened:
    """A message taken apart. `where`: path of the element that holds the text; `root`: first step of paths
    inside the text. A fault has its text and no operation.
    """

    kind: Literal["pushed", "reply", "fault", "sheet"]
    operation: str = ""
    text: str = ""
    where: str = "/"
    root: str = "Jsonstring"


def open_message(message: RawMessage) -> Opened:
    """Take a message apart. Raises Refused."""
    raw = message.content
    if len(raw) > MESSAGE_BYTES:
        raise Refused(Finding("TOO_LARGE", "/", f"{len(raw)} bytes", f"at most {MESSAGE_BYTES} bytes"))
    if is_sheet(raw):
        return Opened("sheet")
    if raw[:2] == b"PK":
        raise Refused(Finding("SCHEMA_VIOLATION", "/", "an archive", "a SOAP message or an Excel export"))
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _bare_text(message)
    return _open_envelope(message)


def _bare_text(message: RawMessage) -> Opened:
    try:
        text = message.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(Finding("ENCODING_MISMATCH", "/", "bytes are not UTF-8", "UTF-8")) from None
    revoked = '"CHSJ"' in text or '"CHYY"' in text
    updated = re.search(r'"CZLX"\s*:\s*"U"', text) is not None
    name = "RevokeXfj" if revoked else "UpdateXfj" if updated else "AddXfj"
    return Opened("pushed", message.operation or name, text, "Jsonstring")


def _open_envelope(message: RawMessage) -> Opened:
    envelope = read_envelope(message.content, max_bytes=MESSAGE_BYTES)
    path = f"/Envelope/Body/{envelope.name}"
    if envelope.name == "Fault" and envelope.namespace == SOAP11:
        return Opened("fault", "", " ".join(map(str, envelope.payload.itertext()))[:300], path)
    if action_contradicts(message.headers.get("soapaction"), envelope.name):
        found = message.headers["soapaction"][:120]
        raise Refused(Finding("SCHEMA_VIOLATION", "SOAPAction", found, envelope.name))
    operation = envelope.name.removesuffix("Response")
    if operation not in PUSHED + CALLED:
        raise Refused(Finding("SCHEMA_VIOLATION", path, envelope.name[:60], "one of " + ", ".join(PUSHED)))
    if envelope.namespace != NAMESPACE:
        raise Refused(Finding("SCHEMA_VIOLATION", path, envelope.namespace or "no namespace", NAMESPACE))
    if envelope.name.endswith("Response"):
        name = f"{operation}Result"
        return Opened("reply", operation, envelope.text(name) or "", f"{path}/{name}", name)
    if operation in CALLED:
        raise Refused(Finding("SCHEMA_VIOLATION", path, envelope.name, "one of " + ", ".join(PUSHED)))
    # GetXfj alone writes jsonString (habit 2); a clerk's tool may do so elsewhere.
    found_text = envelope.text("Jsonstring")
    text = envelope.text("jsonString") if found_text is None else found_text
    if text is None:
        raise Refused(Finding("SCHEMA_VIOLATION", f"{path}/Jsonstring", "absent", "one JSON object"))
    return Opened("pushed", operation, text, f"{path}/Jsonstring")
