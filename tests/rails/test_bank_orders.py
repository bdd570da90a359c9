"""Instruction files of the bank link: the stories' bytes, what must not leave, envelopes, queries, cancellation."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import date, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from escrow.rails import CancelRequest, Instruction, OutgoingRequest, SubaccountRequest
from escrow.rails.bank_direct import iso
from schemas.findings import Refused
from schemas.money import Fen
from tests.rails.bench import BANK, beijing, context, example, orders, our_key, sent

STORIES = sorted(p.name for p in (BANK.folder / "examples" / "stories").glob("*pain001*"))


def instructions_of(raw: bytes) -> list[Instruction]:
    """The instructions that a contract's pain.001 must have been made of."""
    _, message = iso.parse_document(raw)
    found = []
    for info in iso.every(message, "PmtInf"):
        tx = iso.first(info, "CdtTrfTxInf")
        kind = "person" if iso.text(tx, "Cdtr/Id/PrvtId/Othr/Id") else "organisation"
        found.append(
            Instruction(
                number=iso.text(tx, "PmtId/EndToEndId"),
                amount=Fen.from_yuan_text(iso.text(tx, "Amt/InstdAmt")),
                debit_account=iso.text(info, "DbtrAcct/Id/Othr/Id"),
                payee_name=iso.text(tx, "Cdtr/Nm"),
                payee_account=iso.text(tx, "CdtrAcct/Id/Othr/Id"),
                execute_on=date.fromisoformat(iso.text(info, "ReqdExctnDt/Dt")),
                created_at=beijing(iso.text(message, "GrpHdr/CreDtTm")),
                payee_id=iso.text(tx, "Cdtr/Id/PrvtId/Othr/Id") or iso.text(tx, "Cdtr/Id/OrgId/Othr/Id"),
                payee_id_kind=kind,
                payee_bank_code=iso.text(tx, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
                payee_bank_name=iso.text(tx, "CdtrAgt/FinInstnId/Nm"),
                remark=iso.text(tx, "RmtInf/Ustrd"),
                batch_id=iso.text(message, "GrpHdr/MsgId"),
            )
        )
    return found


ONE = instructions_of(example(BANK, "stories/S05_02_pain001.xml"))[0]


@pytest.mark.parametrize("name", STORIES)
def test_stories_byte_for_byte(name):
    raw = example(BANK, f"stories/{name}")
    (instruction,) = instructions_of(raw)
    assert BANK.order(instruction, context(BANK)).document == raw


def test_batch_byte_for_byte():
    raw = example(BANK, "b01_pain001_batch.xml")
    request = BANK.batch(instructions_of(raw), context(BANK))
    assert request.document == raw and request.number == "OQHUB2026040101"


def test_the_document_does_not_hang_on_the_time_of_sending():
    early, late = context(BANK, "2026-04-07T09:00:00"), context(BANK, "2026-04-09T10:00:00")
    first, second = BANK.order(ONE, early), BANK.order(ONE, late)
    assert first.document == second.document and first.body != second.body
    assert BANK.wrap(first.document, early).body == first.body


def test_envelope_of_ours():
    request = BANK.order(ONE, context(BANK, "2026-04-07T09:00:00"))
    told = json.loads(request.body)
    assert (request.method, request.path, request.number) == ("POST", "/escrow/v1/messages", ONE.number)
    assert told["msgType"] == "pain.001.001.09" and told["sentAt"] == "20260407090000000"
    assert base64.b64decode(told["payload"]) == request.document
    assert told["sha256"] == hashlib.sha256(request.document).hexdigest().upper()
    text = "|".join(told[key] for key in ("requestId", "msgType", "sentAt", "sha256")).encode()
    our_key().public_key().verify(
        base64.b64decode(told["signature"]["value"]), text, padding.PKCS1v15(), hashes.SHA256()
    )


NAMES = st.text(alphabet="王李张古丽娜尔·买提（）㛃䶮 abc&<>\"'", min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**11),
            NAMES,
            st.sampled_from(["person", "organisation"]),
            st.text("调解款〔〕&<", max_size=35),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_order_is_valid_and_sums(rows):
    """Every document that we make passes the XSD and its own control sums, whatever the names hold."""
    made = [
        replace(
            ONE,
            number=f"OQ26{place:06d}I1",
            amount=Fen(fen),
            payee_name=name,
            payee_id_kind=kind,
            remark=told,
            batch_id="B1",
        )
        for place, (fen, name, kind, told) in enumerate(rows)
    ]
    document = BANK.batch(made, context(BANK)).document
    _, message = iso.parse_document(document)
    assert iso.text(message, "GrpHdr/CtrlSum") == sum((m.amount for m in made), Fen(0)).yuan_text()
    assert len(list(iso.every(message, "PmtInf"))) == len(made)
    assert [iso.text(i, "CdtTrfTxInf/Cdtr/Nm") for i in iso.every(message, "PmtInf")] == [
        m.payee_name.strip() for m in made
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"number": "oq1"}, "SCHEMA_VIOLATION"),
        ({"number": "O" * 33}, "SCHEMA_VIOLATION"),
        ({"payee_name": ""}, "FIELD_MISSING"),
        ({"payee_bank_code": ""}, "FIELD_MISSING"),
        ({"payee_id": ""}, "FIELD_MISSING"),
        ({"amount": Fen(0)}, "AMOUNT_UNREADABLE"),
        ({"amount": Fen(-5)}, "AMOUNT_UNREADABLE"),
        ({"payee_name": "王\x0b五"}, "NAME_CHARACTERS"),
        ({"payee_name": "王" * 141}, "SCHEMA_VIOLATION"),
        ({"batch_id": "B" * 36}, "SCHEMA_VIOLATION"),
        ({"remark": "款" * 141}, "SCHEMA_VIOLATION"),
    ],
)
def test_what_is_not_made(changes, code):
    with pytest.raises(Refused) as caught:
        BANK.order(replace(ONE, **changes), context(BANK))
    assert caught.value.findings[0].code == code


def test_one_number_twice_in_a_file_is_not_made():
    with pytest.raises(Refused):
        BANK.batch([ONE, ONE], context(BANK))
    with pytest.raises(Refused) as caught:
        BANK.batch([replace(ONE, number=f"N{i}") for i in range(501)], context(BANK))
    assert caught.value.findings[0].code == "MEMBER_LIMIT"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"</CreDtTm><NbOfTxs>1<", b"</CreDtTm><NbOfTxs>2<", "COUNT_MISMATCH"),
        (b"<CtrlSum>62307.29</CtrlSum><ReqdExctnDt>", b"<CtrlSum>62307.28</CtrlSum><ReqdExctnDt>", "AMOUNT_MISMATCH"),
        (b'<InstdAmt Ccy="CNY">62307.29', b'<InstdAmt Ccy="USD">62307.29', "CURRENCY_UNEXPECTED"),
        (b'<InstdAmt Ccy="CNY">62307.29', b'<InstdAmt Ccy="CNY">62307.291', "AMOUNT_UNREADABLE"),
        (b"<PmtMtd>TRF</PmtMtd>", b"", "SCHEMA_VIOLATION"),
        (b"pain.001.001.09", b"pain.001.001.03", "SCHEMA_VIOLATION"),
    ],
)  # fmt: skip
def test_an_altered_document_does_not_leave(old, new, code):
    raw = example(BANK, "stories/S05_02_pain001.xml")
    assert old in raw
    with pytest.raises(Refused) as caught:
        BANK.wrap(raw.replace(old, new, 1), context(BANK))
    assert caught.value.findings[0].code == code


def test_request_id_has_its_form():
    with pytest.raises(Refused):
        BANK.order(ONE, replace(context(BANK), request_id="short"))


def test_ask_names_the_day_of_sending():
    request: OutgoingRequest = BANK.ask(ONE, context(BANK))
    assert request.path == "/escrow/v1/payments/OQ27000011I1?bizDate=20260407" and request.method == "GET"
    known = orders(OQ27000011I1=sent("OQ27000011I1", 1, "2026-04-08T00:10:00"))
    assert BANK.ask(ONE, context(BANK, known_order=known)).path.endswith("bizDate=20260408")


def test_open_subaccount_is_the_storys_request():
    wanted = json.loads(example(BANK, "stories/S01_04_open_subaccount.json"))
    asked = SubaccountRequest("SCOPENS005A", "S005", "医疗损害责任纠纷", Fen(9201800))
    request = BANK.open_subaccount(asked, context(BANK))
    assert json.loads(request.body) == wanted and request.path == "/escrow/v1/subaccounts"
    more = replace(asked, payers=({"name": "王五", "account": None},), expires_on=date(2027, 1, 1))
    assert json.loads(BANK.open_subaccount(more, context(BANK)).body)["expiresOn"] == "2027-01-01"
    for wrong in (replace(asked, case_ref="S" * 33), replace(asked, case_name="")):
        with pytest.raises(Refused):
            BANK.open_subaccount(wrong, context(BANK))


def test_balance_and_missed():
    assert (
        BANK.balance("9900339900000130004", context(BANK)).path == "/escrow/v1/balances/9900339900000130004"
    )
    assert BANK.missed(17, context(BANK)).path == "/escrow/v1/messages?afterSeq=17&max=50"


def test_cancellation_is_valid():
    asked = CancelRequest(
        "OQC1", "", ("OQ1", "OQ2"), datetime.fromisoformat("2026-04-07T10:00:00+08:00"), "误付"
    )
    request = BANK.cancel(asked, context(BANK))
    assert json.loads(request.body)["msgType"] == "camt.055.001.09" and request.operation == "cancel"
    root = etree.fromstring(request.document)
    assert [e.text for e in root.iter("{*}OrgnlEndToEndId")] == ["OQ1", "OQ2"]
