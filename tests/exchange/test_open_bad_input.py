"""Bad input at the open contract's doors: a problem or fault with code and path, and nothing stored beyond quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
from lxml import etree

from connectors.open_contract.shape import write_xml
from foundation.unit_of_work import unit_of_work
from foundation.wss import canonical
from hub.applying import apply_due
from hub.pipeline import Hub
from schemas.open_contract import NAMESPACE
from schemas.soap import SOAP11, SOAP12
from tests.exchange.open_side import OpenSide, at_story_start, message, served, told
from tests.exchange.partner_side import enter_with_keys

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    with unit_of_work(bare_hub.engine) as uow:
        enter_with_keys(uow, limits={"calls_per_s": 10_000, "burst": 10_000, "body_bytes": 1024 * 1024})
    return bare_hub


@pytest.fixture
def side(hub: Hub) -> Iterator[OpenSide]:
    with served(hub) as url:
        yield OpenSide(url, at_story_start(hub.engine))


def states(hub: Hub) -> list[str]:
    with unit_of_work(hub.engine) as uow:
        return [row["state"] for row in uow.all("SELECT state FROM exchange.inbox ORDER BY seq LIMIT 1000")]


def untouched(hub: Hub) -> bool:
    """Whether nothing came into the record."""
    apply_due(hub)
    with unit_of_work(hub.engine) as uow:
        return not uow.scalar("SELECT count(*) FROM registry.statement") and not uow.scalar(
            "SELECT count(*) FROM exchange.inbox WHERE receipt IS NOT NULL"
        )


def _set(value: Any, *path: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        at: Any = plain
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value

    return change


FIELDS = ("records", 0, "fields")
WRONG: list[tuple[str, Change, str, str]] = [
    ("fen_as_text", _set("12.50", *FIELDS, "claimed_fen"), "SCHEMA_VIOLATION", "/records/0/fields/claimed_fen"),
    ("fen_negative", _set(-1, *FIELDS, "claimed_fen"), "SCHEMA_VIOLATION", "/records/0/fields/claimed_fen"),
    ("fen_too_large", _set(10**16, *FIELDS, "claimed_fen"), "SCHEMA_VIOLATION", "/records/0/fields/claimed_fen"),
    ("no_such_day", _set("2026-02-30", *FIELDS, "opened_on"), "DATE_UNREADABLE", "/records/0/fields/opened_on"),
    ("no_such_moment", _set("2026-04-31T00:00:00Z", "event_time"), "DATE_UNREADABLE", "/event_time"),
    ("beyond_the_calendar", _set("9999-12-31T00:00:00Z", "event_time"), "DATE_UNREADABLE", "/event_time"),
    ("state_unknown", _set("MAYBE", *FIELDS, "state"), "SCHEMA_VIOLATION", "/records/0/fields/state"),
    ("bad_id_number", _set("330399199001011230", "records", 0, "parties", 0, "id_number"), "ID_CHECK_DIGIT",
     "/records/0/parties/0/id_number"),
    ("name_blank", _set(" ", "records", 0, "parties", 0, "name"), "SCHEMA_VIOLATION", "/records/0/parties/0/name"),
    ("id_with_space", _set("M 1", "message_id"), "SCHEMA_VIOLATION", "/message_id"),
    ("kind_of_another_operation", _set("withdrawal", "kind"), "SCHEMA_VIOLATION", "/kind"),
    ("sequence_zero", _set(0, "sequence"), "SCHEMA_VIOLATION", "/sequence"),
    ("a_hold_from_a_street", _set("hold", "records", 0, "kind"), "NOT_AUTHORISED", "/records/0/kind"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "path"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
def test_a_wrong_message_is_refused_at_its_place_over_both(
    hub: Hub, side: OpenSide, change: Change, code: str, path: str
) -> None:
    plain = message()
    change(plain)
    by_rest = side.post(plain)
    assert by_rest.headers["content-type"] == "application/problem+json"
    problem = by_rest.json()
    assert code in [each["code"] for each in problem["errors"]], problem
    assert path in [each["path"] for each in problem["errors"]], problem
    assert 400 <= problem["status"] < 500
    by_soap = side.soap_message(plain)
    assert by_soap.status_code == 500
    fault = etree.fromstring(by_soap.content)
    codes = fault.findall(f".//{{{NAMESPACE}}}code")
    assert codes and {each.text for each in codes} & {code, "SCHEMA_VIOLATION"}, by_soap.text
    paths = [each.text or "" for each in fault.findall(f".//{{{NAMESPACE}}}path")]
    last = path.rsplit("/", 1)[1]
    assert any(each.endswith(f"/{last}") for each in paths), paths
    assert states(hub) == ["REFUSED", "REFUSED"] and untouched(hub)


BODIES: list[tuple[str, bytes, str]] = [
    ("nan", b'{"message_id":"M-1","sequence":NaN}', "AMOUNT_UNREADABLE"),
    ("fraction", b'{"message_id":"M-1","sequence":1.5}', "AMOUNT_UNREADABLE"),
    ("key_twice", b'{"message_id":"M-1","message_id":"M-2"}', "JSON_DUPLICATE_KEY"),
    ("not_json", b'{"message_id":', "JSON_NOT_WELL_FORMED"),
    ("deep", b"[" * 100_000, "JSON_NOT_WELL_FORMED"),
    ("not_utf8", b'{"message_id":"\xff"}', "ENCODING_MISMATCH"),
    ("surrogate", b'{"message_id":"\\ud800"}', "JSON_NOT_WELL_FORMED"),
    ("control", b'{"message_id":"M-1","case_key":"a\\u0001"}', "JSON_NOT_WELL_FORMED"),
    ("a_list", b"[]", "SCHEMA_VIOLATION"),
    ("misspelt", b'{"message_idd":"M-1"}', "UNKNOWN_FIELD"),
    ("huge_number", b'{"message_id":"M-1","sequence":' + b"9" * 400 + b"}", "JSON_NOT_WELL_FORMED"),
]


@pytest.mark.parametrize(("body", "code"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES])
def test_a_body_that_is_no_message_is_refused_and_kept_aside(
    hub: Hub, side: OpenSide, body: bytes, code: str
) -> None:
    refused = side.post(body)
    assert code in [each["code"] for each in refused.json()["errors"]], refused.text
    assert states(hub) == ["REFUSED"] and untouched(hub)


def test_a_body_over_its_limit_is_refused_and_not_kept(hub: Hub, side: OpenSide) -> None:
    refused = side.post(b'{"a":"' + b"x" * 1_100_000 + b'"}')
    assert (refused.status_code, refused.json()["code"]) == (413, "TOO_LARGE")
    by_soap = side.call(b"<a>" + b"x" * 2_200_000 + b"</a>")
    assert (by_soap.status_code, told(by_soap)["code"]) == (500, "TOO_LARGE")
    assert states(hub) == []


XML: list[tuple[str, str, str]] = [
    ("entity", '<!DOCTYPE a [<!ENTITY e "x">]>', "XML_DTD_FORBIDDEN"),
    ("external", '<!DOCTYPE a SYSTEM "file:///etc/passwd">', "XML_DTD_FORBIDDEN"),
]


@pytest.mark.parametrize(("before", "code"), [each[1:] for each in XML], ids=[each[0] for each in XML])
@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_xml_with_a_document_type_is_refused(
    hub: Hub, side: OpenSide, before: str, code: str, soap: str
) -> None:
    whole = side.envelope(f'<submit xmlns="{NAMESPACE}">{write_xml(message())}</submit>', soap)
    declared = whole.replace(b"<s:Envelope", before.encode() + b"<s:Envelope", 1)
    refused = side.call(declared, soap)
    assert refused.status_code == (500 if soap == SOAP11 else 400)
    assert told(refused)["code"] == code and states(hub) == []


def test_xml_that_is_broken_or_no_envelope_is_refused(hub: Hub, side: OpenSide) -> None:
    for body, code in (
        (b"<a><b></a>", "XML_NOT_WELL_FORMED"),
        (b"<a/>", "SCHEMA_VIOLATION"),
        (b"", "XML_NOT_WELL_FORMED"),
    ):
        refused = side.call(body)
        assert (refused.status_code, told(refused)["code"]) == (500, code)
    assert states(hub) == []


def _other_body(side: OpenSide) -> bytes:
    """Signed, then the message changed."""
    whole = side.envelope(f'<submit xmlns="{NAMESPACE}">{write_xml(message())}</submit>')
    return whole.replace(b"JD-2026-1", b"JD-2026-2")


def _other_part_signed(side: OpenSide) -> bytes:
    """The signed Body is moved into the header, and another one stands in its place."""
    root = etree.fromstring(side.envelope(f'<submit xmlns="{NAMESPACE}">{write_xml(message())}</submit>'))
    body = root.find(f"{{{SOAP11}}}Body")
    header = root.find(f"{{{SOAP11}}}Header")
    assert body is not None and header is not None
    other = etree.fromstring(canonical(body))
    for each in other.iter(f"{{{NAMESPACE}}}case_key"):
        each.text = "JD-2026-2"
    root.replace(body, other)
    wrapper = etree.SubElement(header, "wrapper")
    wrapper.append(body)
    return etree.tostring(root)


@pytest.mark.parametrize("make", [_other_body, _other_part_signed])
def test_soap_whose_signature_is_over_something_else_is_refused(
    hub: Hub, side: OpenSide, make: Callable[[OpenSide], bytes]
) -> None:
    refused = side.call(make(side))
    assert (refused.status_code, told(refused)["code"]) == (500, "SIGNATURE_INVALID")
    assert states(hub) == []


def _refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_rest_whose_signature_is_over_something_else_is_refused(hub: Hub, side: OpenSide) -> None:
    body = orjson.dumps(message())
    headers = side.signed("POST", "/open/v1/messages", body)
    other = side.http.post(
        "/open/v1/messages", content=body.replace(b"JD-2026-1", b"JD-2026-2"), headers=headers
    )
    assert _refused(other) == (400, "DIGEST_MISMATCH")
    elsewhere = side.http.post("/open/v1/corrections", content=body, headers=headers)
    assert _refused(elsewhere) == (401, "SIGNATURE_INVALID")
    unsigned = side.http.post("/open/v1/messages", content=body, headers={"content-type": "application/json"})
    assert _refused(unsigned) == (401, "SIGNATURE_MISSING")
    assert states(hub) == []


def test_a_signature_is_taken_once(hub: Hub, side: OpenSide) -> None:
    body = orjson.dumps(message())
    headers = side.signed("POST", "/open/v1/messages", body)
    assert side.http.post("/open/v1/messages", content=body, headers=headers).status_code == 202
    assert _refused(side.http.post("/open/v1/messages", content=body, headers=headers)) == (
        401,
        "NONCE_REPLAYED",
    )
    asked = side.signed("GET", "/open/v1/messages/M-1")
    assert side.http.get("/open/v1/messages/M-1", headers=asked).status_code == 200
    assert _refused(side.http.get("/open/v1/messages/M-1", headers=asked)) == (401, "NONCE_REPLAYED")
    whole = side.envelope(f'<submit xmlns="{NAMESPACE}">{write_xml(message(2))}</submit>')
    assert side.call(whole).status_code == 200
    assert told(side.call(whole))["code"] == "NONCE_REPLAYED"
    assert states(hub) == ["RECEIVED", "RECEIVED"]


def test_heads_that_mislead_are_refused(hub: Hub, side: OpenSide) -> None:
    body = orjson.dumps(message())
    wrong_media = side.post(body, **{"content-type": "text/plain"})
    assert _refused(wrong_media) == (415, "SCHEMA_VIOLATION")
    packed = side.post(body, **{"content-encoding": "gzip"})
    assert _refused(packed) == (400, "SCHEMA_VIOLATION")
    key = side.post(body, **{"idempotency-key": "another"})
    assert _refused(key) == (422, "SCHEMA_VIOLATION")
    inner = write_xml(message())
    spoofed = side.soap("submit", inner, SOAP11, soapaction=f'"{NAMESPACE}/withdrawal"')
    assert told(spoofed)["path"] == "header SOAPAction"
    mixed = side.call(side.envelope(f'<submit xmlns="{NAMESPACE}">{inner}</submit>', SOAP12), SOAP11)
    assert told(mixed)["path"] == "header Content-Type"
    elsewhere = side.call(side.envelope('<submit xmlns="urn:other">x</submit>'))
    assert told(elsewhere)["path"] == "/Envelope/Body"
    assert side.http.put("/open/v1/messages").status_code == 405
    assert side.get("/open/v1/nothing").status_code == 404
    assert [each for each in states(hub) if each != "REFUSED"] == [] and untouched(hub)


def test_who_calls_too_often_is_told_when_to_come_back(hub: Hub, side: OpenSide) -> None:
    with unit_of_work(hub.engine) as uow:
        enter_with_keys(uow, "ouqi_quick", "rsa2", limits={"calls_per_s": 0.5, "burst": 2})
    quick = OpenSide(side.url, side.now, "ouqi_quick", "rsa2")
    import time

    time.sleep(1.0)
    answers = [quick.get("/open/v1/messages/M-1") for _ in range(4)]
    assert [each.status_code for each in answers] == [404, 404, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1 and "ratelimit" in answers[0].headers
    assert side.get("/open/v1/messages/M-1").status_code == 404


def test_nobody_sees_another_partners_messages(hub: Hub, side: OpenSide) -> None:
    receipt = side.post(message()).json()["receipt_no"]
    apply_due(hub)
    number = side.get("/open/v1/messages/M-1").json()["disputes"][0]
    with unit_of_work(hub.engine) as uow:
        enter_with_keys(uow, "ouqi_other", "rsa3")
    import time

    time.sleep(1.0)
    other = OpenSide(side.url, side.now, "ouqi_other", "rsa3")
    for target in ("messages/M-1", f"receipts/{receipt}", f"disputes/{number}", "disputes/JD-2026-1"):
        assert _refused(other.get(f"/open/v1/{target}")) == (404, "NOT_FOUND"), target


def test_a_namespace_that_has_no_canonical_form_is_refused(hub: Hub, side: OpenSide) -> None:
    whole = side.envelope(f'<submit xmlns="{NAMESPACE}">{write_xml(message())}</submit>')
    odd = whole.replace(b"<kind>", b'<kind xmlns:q="relative" q:a="1">', 1)
    refused = side.call(odd)
    assert (refused.status_code, told(refused)["code"]) == (500, "SIGNATURE_INVALID")
    assert states(hub) == []
