"""The procuratorate's codes and limits, and input that is wrong in every way."""

from __future__ import annotations

import base64
import copy
import hashlib
import random

import pytest
from lxml import etree

from connectors.procuratorate_wss import names
from schemas.exchange import Known
from schemas.soap import SOAP11
from tests.connectors.jcy_side import NOW, Root, case_of, change, codes, known, payload_of, push, sign, submit

PERSON = "/SubmitCase/Case/Person[1]"


# -- what is refused ------------------------------------------------------------------------------------

WRONG = [
    ("Case/Person[1]/IdNo", "33039919710519479X", "ID_CHECK_DIGIT", f"{PERSON}/IdNo"),
    ("Case/Person[1]/IdNo", "330399********4793", "ID_FORMAT", f"{PERSON}/IdNo"),
    ("Case/Person[1]/IdNo", "123", "ID_FORMAT", f"{PERSON}/IdNo"),
    ("Case/Person[1]/IdNo", "330399199902300014", "ID_BIRTH_DATE", f"{PERSON}/IdNo"),
    ("Case/Person[2]/IdNo", "91330399MAT9T4YK0H", "ID_CHECK_DIGIT", "/SubmitCase/Case/Person[2]/IdNo"),
    ("Case/Person[1]/IdType", "03", "CODE_UNKNOWN", f"{PERSON}/IdType"),
    ("Case/Person[1]/Role", "XXX", "CODE_UNKNOWN", f"{PERSON}/Role"),
    ("Case/Person[1]/Name", " ", "SCHEMA_VIOLATION", f"{PERSON}/Name"),
    ("Case/BizType", "", "CODE_UNKNOWN", "/SubmitCase/Case/BizType"),
    ("Case/ClaimAmount", "0", "AMOUNT_UNREADABLE", "/SubmitCase/Case/ClaimAmount"),
    ("Case/ClaimAmount", "-1", "SCHEMA_VIOLATION", "/SubmitCase/Case/ClaimAmount"),
    ("Case/ClaimAmount", "1.001", "SCHEMA_VIOLATION", "/SubmitCase/Case/ClaimAmount"),
    ("Case/ClaimAmount", "NaN", "SCHEMA_VIOLATION", "/SubmitCase/Case/ClaimAmount"),
    ("Case/ClaimAmount", "1e5", "SCHEMA_VIOLATION", "/SubmitCase/Case/ClaimAmount"),
    ("Case/OccurDate", "2026-02-30", "SCHEMA_VIOLATION", "/SubmitCase/Case/OccurDate"),
    ("Case/OccurDate", "12026-02-01", "DATE_UNREADABLE", "/SubmitCase/Case/OccurDate"),
    ("Case/Sealed", "maybe", "SCHEMA_VIOLATION", "/SubmitCase/Case/Sealed"),
    ("Case/CaseNo", None, "SCHEMA_VIOLATION", "/SubmitCase/Case/CaseNo"),
    ("Case/Deadline", None, "SCHEMA_VIOLATION", "/SubmitCase/Case/Deadline"),
    ("Case/CaseNo", "  ", "SCHEMA_VIOLATION", "/SubmitCase/Case/CaseNo"),
    ("Head/MsgId", "", "SCHEMA_VIOLATION", "/SubmitCase/Head/MsgId"),
    ("Head/SendOrg", "330302J", "CODE_UNKNOWN", "/SubmitCase/Head/SendOrg"),
    ("Head/SendTime", "2026-03-02T09:00:00", "DATE_UNREADABLE", "/SubmitCase/Head/SendTime"),
    ("Case/Attachment[1]/Content", "@@", "BASE64_INVALID", "/SubmitCase/Case/Attachment[1]/Content"),
    (
        "Case/Attachment[1]/MediaType",
        "text/html",
        "SCHEMA_VIOLATION",
        "/SubmitCase/Case/Attachment[1]/MediaType",
    ),
]


@pytest.mark.parametrize(("path", "text", "code", "where"), WRONG)
def test_wrong_content_is_refused_with_its_place(path: str, text: str | None, code: str, where: str) -> None:
    reading = submit(lambda payload: change(payload, path, text))
    assert codes(reading) == [(code, where)]
    assert reading.refused and not reading.records


def test_every_fault_of_a_message_is_told_at_once() -> None:
    def several(payload: Root) -> None:
        change(payload, "Case/BizType", "XXXX")
        change(payload, "Case/Person[1]/IdNo", "330399197105194790")
        change(payload, "Case/Attachment[1]/Sha256", "00" * 32)

    assert {code for code, _ in codes(submit(several))} == {
        "CODE_UNKNOWN",
        "ID_CHECK_DIGIT",
        "DIGEST_MISMATCH",
    }


def test_too_many_persons_and_attachments() -> None:
    def crowd(payload: Root) -> None:
        case = case_of(payload)
        person = case.find(names.collab("Person"))
        assert person is not None
        for _ in range(20):
            person.addnext(copy.deepcopy(person))

    reading = submit(crowd)
    assert (reading.findings[0].code, reading.findings[0].path) == (
        "SCHEMA_VIOLATION",
        "/SubmitCase/Case/Person",
    )
    assert reading.findings[0].found == "22 persons"


def test_attachment_over_five_megabytes() -> None:
    content = b"x" * (5 * 1024 * 1024 + 1)

    def grow(payload: Root) -> None:
        change(payload, "Case/Attachment[1]/Content", base64.b64encode(content).decode())
        change(payload, "Case/Attachment[1]/Sha256", hashlib.sha256(content).hexdigest())

    assert codes(submit(grow)) == [("TOO_LARGE", "/SubmitCase/Case/Attachment[1]/Content")]


def test_wrong_password_and_user() -> None:
    path = "/Envelope/Header/Security/UsernameToken/Password"
    reading = push(sign(payload_of("j01_submit_1.xml"), password="other"))
    assert codes(reading) == [("NOT_AUTHORISED", path)]
    assert reading.findings[0].partner_code == "wsse:FailedAuthentication"
    former = known(secrets={"password": "new", "password.old": "made-in-a-test"})
    assert not push(sign(payload_of("j01_submit_1.xml")), told=former).findings
    assert codes(push(sign(payload_of("j01_submit_1.xml"), user=False)))[0][0] == "SIGNATURE_MISSING"


def test_nonce_again() -> None:
    reading = push(sign(payload_of("j01_submit_1.xml")), told=known(seen_nonce=lambda _: True))
    assert [code for code, _ in codes(reading)] == ["NONCE_REPLAYED"]


def test_progress_is_stage_only() -> None:
    query = etree.fromstring(
        f'<QueryProgress xmlns="{names.COLLAB}"><Head><MsgId>Q1</MsgId><Seq>9</Seq><SendOrg>330399J</SendOrg>'
        "<SendTime>2026-04-01T09:00:00+08:00</SendTime></Head><CaseNo>瓯栖检民支[2026]664号</CaseNo></QueryProgress>"
    )

    def fact(kind: str, key: str) -> object:
        here = (kind, key) == ("whereabouts", "瓯栖检民支〔2026〕664号")
        return {"stage": "MEDIATING", "since": "2026-03-02T09:00:00+08:00"} if here else None

    told: Known = known(fact=fact)
    reading = push(sign(copy.deepcopy(query)), told=told)
    assert not reading.records and reading.reply_hint["stage"] == "MEDIATING"
    assert codes(push(sign(query))) == [("NOT_FOUND", "/QueryProgress/CaseNo")]


@pytest.mark.parametrize("name", ["ReturnResult", "ListMessages", "Receipt", "Nonsense"])
def test_operations_that_nobody_may_push(name: str) -> None:
    payload = etree.Element(names.collab(name), nsmap={None: names.COLLAB})
    assert codes(push(sign(payload))) == [("SCHEMA_VIOLATION", "/Envelope/Body")]


# -- bytes that are wrong -------------------------------------------------------------------------------

BAD_BYTES = [
    (b"", "XML_NOT_WELL_FORMED"),
    (b"not xml", "XML_NOT_WELL_FORMED"),
    (b"<a/>", "SCHEMA_VIOLATION"),
    (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "XML_DTD_FORBIDDEN"),
    (f'<s:Envelope xmlns:s="{SOAP11}"><s:Body/></s:Envelope>'.encode(), "SCHEMA_VIOLATION"),
    (f'<s:Envelope xmlns:s="{names.SOAP}"/>'.encode(), "SCHEMA_VIOLATION"),
    (f'<s:Envelope xmlns:s="{names.SOAP}"><s:Body/></s:Envelope>'.encode(), "SCHEMA_VIOLATION"),
    ("<?xml version='1.0' encoding='UTF-8'?><a>中</a>".encode("gb18030"), "ENCODING_MISMATCH"),
    (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "ENCODING_MISMATCH"),
]


@pytest.mark.parametrize(("raw", "code"), BAD_BYTES)
def test_bad_bytes(raw: bytes, code: str) -> None:
    assert [each for each, _ in codes(push(raw))] == [code]


def test_a_body_over_the_limit() -> None:
    assert [code for code, _ in codes(push(b" " * (names.MAX_ENVELOPE_BYTES + 1)))] == ["TOO_LARGE"]


def test_a_header_that_must_be_understood_is_refused() -> None:
    root = etree.fromstring(sign(payload_of("j01_submit_1.xml")))
    header = root.find(names.soap("Header"))
    assert header is not None
    block = etree.SubElement(header, "{urn:x}Route")
    block.set(names.soap("mustUnderstand"), "true")
    assert codes(push(etree.tostring(root))) == [("SCHEMA_VIOLATION", "/Envelope/Header")]


def test_mutations_never_raise_and_never_pass_with_changed_meaning() -> None:
    """One to four random changes of bytes: refused, or the business content is what was signed."""
    raw = sign(payload_of("j01_submit_1.xml"))
    genuine = push(raw).compare_digest
    chance = random.Random(20260401)
    for _ in range(400):
        mutant = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mutant))
            if chance.random() < 0.3:
                del mutant[at : at + chance.randint(1, 30)]
            elif chance.random() < 0.5:
                mutant[at] = chance.randrange(256)
            else:
                mutant[at:at] = bytes(mutant[at : at + chance.randint(1, 40)])
        reading = push(bytes(mutant), at=NOW)
        assert reading.findings or reading.compare_digest == genuine
        assert not (reading.refused and reading.records)


def test_mutations_of_the_content_under_a_right_signature_never_raise() -> None:
    """A partner that signs nonsense: findings, never an exception."""
    chance = random.Random(7)
    words = [
        "",
        " ",
        "0",
        "-1",
        "NaN",
        "1.001",
        "9" * 40,
        "2026-02-30",
        "x" * 300,
        "\u202e",
        "{}",
        "&lt;",
        "〔",
        "true",
    ]
    for _ in range(300):
        payload = payload_of(chance.choice(["j01_submit_1.xml", "j12_revoke.xml", "j04_submit_4.xml"]))
        for _ in range(chance.randint(1, 3)):
            element = chance.choice(list(payload.iter()))
            deed = chance.random()
            if deed < 0.4:
                element.text = chance.choice(words)
            elif deed < 0.6 and element.getparent() is not None:
                element.getparent().remove(element)  # type: ignore[union-attr]
            elif deed < 0.8:
                element.append(copy.deepcopy(element))
            else:
                element.tag = chance.choice([names.collab("Other"), "{urn:x}Name", names.collab("Person")])
        reading = push(sign(payload))
        assert bool(reading.findings) != bool(reading.records) or not reading.refused
