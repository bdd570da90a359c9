"""What each service's answer says: code and path of a refusal, None when it was taken. Raises on an answer that
is in no form of the contract."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from lxml import etree


class Said(NamedTuple):
    """A refusal as its sender reads it."""

    code: str
    path: str


def _texts(body: bytes) -> dict[str, str]:
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
    assert etree.QName(root).localname == "Envelope", body[:200]
    return {etree.QName(each).localname: (each.text or "").strip() for each in root.iter(etree.Element)}


def _fault(told: dict[str, str]) -> None:
    assert told["faultcode"].endswith(":Client"), f"a fault that does not blame the sender: {told}"


def court(status: int, body: bytes) -> Said | None:
    if problem_in(status, body):
        return problem(status, body)
    told = _texts(body)
    if status == 500:
        _fault(told)
        return Said(told["code"], told["path"])
    assert status == 200, (status, body[:300])
    if told["code"] == "C0000":
        return None
    path, _, _ = told["message"].partition("=")
    return Said(told["code"], path)


def petition(status: int, body: bytes) -> Said | None:
    if problem_in(status, body):
        return problem(status, body)
    told = _texts(body)
    if status == 500:
        _fault(told)
        _code, path, theirs = told["faultstring"].rsplit(" ", 2)
        return Said(theirs, path)
    assert status == 200, (status, body[:300])
    result = json.loads(next(text for name, text in told.items() if name.endswith("Result")))
    if result["Result"] == "1":
        return None
    return Said(result["Message"], result["Detail"].partition("=")[0])


def procuratorate(status: int, body: bytes) -> Said | None:
    if problem_in(status, body):
        return problem(status, body)
    told = _texts(body)
    if status == 200:
        assert told["Code"] == "J0000", told
        return None
    assert status in (400, 413), (status, body[:300])
    root = etree.fromstring(body)
    (detail,) = root.findall(".//{*}ServiceFault")
    blame = root.findtext(".//{http://www.w3.org/2003/05/soap-envelope}Value")
    assert blame is not None and blame.endswith(":Sender"), "a fault that does not blame the sender"
    return Said(str(detail.findtext("{*}Code")), str(detail.findtext("{*}Field")))


def arbitration(status: int, body: bytes) -> Said | None:
    told = json.loads(body)
    if status == 200:
        return None
    assert status in (401, 404, 405, 409, 414, 422, 431), (status, body[:300])
    return Said(told["code"], told["errors"][0]["path"] if told["errors"] else "/")


def bank(status: int, body: bytes) -> Said | None:
    if problem_in(status, body):
        return problem(status, body)
    told = json.loads(body)
    assert status == 200, (status, body[:300])
    if told["code"] in ("A00000", "A00001"):
        return None
    _code, _, path = told["message"].partition(" ")
    return Said(told["code"], path)


def wallet(status: int, body: bytes) -> Said | None:
    """The wallet knows two words; code and path stand in the exchange log."""
    if problem_in(status, body):
        return problem(status, body)
    assert status == 200, (status, body[:300])
    assert body in (b"success", b"fail"), body[:100]
    return None if body == b"success" else Said("fail", "exchange log")


def problem_in(status: int, body: bytes) -> bool:
    return status >= 400 and body.lstrip().startswith(b'{"type":"urn:concord:error:')


def problem(status: int, body: bytes) -> Said | None:
    """A problem document of the REST part."""
    told = json.loads(body)
    assert told["status"] == status
    assert re.fullmatch(r"[A-Z_0-9]+", told["code"]), told["code"]
    return Said(told["code"], told["errors"][0]["path"] if told["errors"] else "/")
