"""Documents as other banks write them: other versions, other envelopes, parts left out. Each is read or refused with a
reason; nothing that comes in raises, and nothing is half read. And a thousand random orders of ours are valid."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from lxml import etree

from escrow.rails import Advice, Incoming
from escrow.rails.bank_direct import iso
from schemas.findings import Refused
from schemas.money import Fen
from tests.rails.bench import BANK, context, example, examples
from tests.rails.test_bank_orders import ONE

NS = iso.NAMESPACE
FAMILIES = {"camt.052": "08", "camt.053": "08", "camt.054": "08", "pain.002": "10", "pacs.004": "09"}
VERSIONS = [f"{n:02d}" for n in range(2, 14)]
AROUND = {
    "business message": b'<BizMsg xmlns="urn:bank:bizmsg"><AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">'
    b"<Fr/></AppHdr>%s</BizMsg>",
    "soap": b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>',
    "a bank's own root": b"<BEDC><Head><Code>0</Code></Head><Body>%s</Body></BEDC>",
    "a document in a document": b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">%s</Document>',
    "an archive of one": b"<List>%s%s</List>",
}


def documents() -> dict[str, bytes]:
    """The bank's own messages among the contract's examples, that are read without a finding."""
    found = {}
    for name in examples(BANK):
        raw = example(BANK, name)
        if (
            any(f"{NS}{family}".encode() in raw for family in FAMILIES)
            and not BANK.statement(raw, context(BANK)).findings
        ):
            found[name] = raw
    return found


GOOD = documents()


def taken(raw: bytes) -> Advice:
    """By both doors; a callback must have an answer in the bank's own form."""
    pushed = BANK.verify(Incoming(raw, "callback"), context(BANK))
    assert pushed.findings and pushed.reply is not None
    filed = BANK.verify(Incoming(raw, "file"), context(BANK))
    assert isinstance(filed, Advice)
    try:
        return BANK.statement(raw, context(BANK))
    except Refused as refused:
        return Advice("nothing", findings=refused.findings)


def refused_with_reason(advice: Advice) -> bool:
    """Findings that name a code, a place and what was found; and then nothing of the message is used."""
    return (
        bool(advice.findings)
        and all(each.code and each.path for each in advice.findings)
        and not (advice.lines or advice.outcomes or advice.returns or advice.statements)
    )


def test_there_is_something_to_try() -> None:
    kinds = {family for family in FAMILIES for raw in GOOD.values() if f"{NS}{family}".encode() in raw}
    assert len(GOOD) >= 8 and kinds == set(FAMILIES)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_other_versions_are_named(family: str, version: str) -> None:
    """The contract's version is read; any other is refused, naming the version found and the one that is agreed."""
    own = FAMILIES[family]
    raw = next(raw for raw in GOOD.values() if f"{NS}{family}".encode() in raw)
    told = taken(raw.replace(f"{family}.001.{own}".encode(), f"{family}.001.{version}".encode()))
    if version == own:
        assert not told.findings
        return
    (finding,) = told.findings
    assert (finding.code, finding.path) == ("SCHEMA_VIOLATION", "/Document")
    assert (finding.found, finding.expected) == (f"{family}.001.{version}", f"{family}.001.{own}")


def test_the_old_form_under_the_new_name_is_refused_where_it_differs() -> None:
    """camt.053.001.02 writes the status as plain text and the payer without Pty."""
    raw = next(raw for raw in GOOD.values() if f"{NS}camt.053".encode() in raw)
    old = raw.replace(b"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>")
    (finding,) = taken(old).findings
    assert finding.code == "SCHEMA_VIOLATION" and finding.path.endswith("/Sts")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("family", FAMILIES)
def test_extra_envelopes_are_refused_with_the_root(family: str, around: str) -> None:
    raw = next(raw for raw in GOOD.values() if f"{NS}{family}".encode() in raw)
    inner = raw.partition(b"?>")[2].strip() if raw.startswith(b"<?xml") else raw
    told = taken(AROUND[around].replace(b"%s", inner))
    assert refused_with_reason(told) and told.findings[0].code in ("SCHEMA_VIOLATION", "XML_NOT_WELL_FORMED")


@pytest.mark.parametrize("name", GOOD)
def test_other_prefixes_marks_and_comments_change_nothing(name: str) -> None:
    raw = GOOD[name]
    root = etree.fromstring(raw)
    renamed = etree.Element(root.tag, nsmap={"ns7": etree.QName(root).namespace})
    renamed.extend(root)
    etree.cleanup_namespaces(renamed, keep_ns_prefixes=["ns7"])
    written = etree.tostring(renamed, encoding="UTF-8", xml_declaration=True)
    assert b"ns7:Document" in written
    wanted = BANK.statement(raw, context(BANK))
    head, _, rest = written.partition(b"?>")
    for other in (written, head + b"?><!-- host 3 -->" + rest, b"\xef\xbb\xbf" + written):
        told = BANK.statement(other, context(BANK))
        assert not told.findings
        assert (told.lines, told.statements, told.outcomes, told.returns) == (
            wanted.lines, wanted.statements, wanted.outcomes, wanted.returns,
        )  # fmt: skip


def without_each(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The document with one element left out, emptied, or doubled: each kind of element by its path once."""
    tree = etree.fromstring(raw)
    places: dict[str, int] = {}
    for place, element in enumerate(tree.iter(etree.Element)):
        if element.getparent() is not None:
            places.setdefault(
                iso.path_of(element).replace("[", " ").split(" ")[0] + "/" + etree.QName(element).localname,
                place,
            )
    for path, place in places.items():
        for how in ("left out", "emptied", "doubled", "nonsense"):
            copy = etree.fromstring(raw)
            element = list(copy.iter(etree.Element))[place]
            parent = element.getparent()
            assert parent is not None
            if how == "left out":
                parent.remove(element)
            elif how == "doubled":
                parent.insert(parent.index(element), etree.fromstring(etree.tostring(element)))
            else:
                for child in list(element):
                    element.remove(child)
                element.text = "" if how == "emptied" else "乱码 \u202e-1e309"
            yield f"{path} {how}", etree.tostring(copy, encoding="UTF-8", xml_declaration=True)


@pytest.mark.parametrize("name", GOOD)
def test_missing_parts_are_read_or_refused_with_a_reason(name: str) -> None:
    tried = refused = 0
    for what, raw in without_each(GOOD[name]):
        told = BANK.statement(raw, context(BANK))
        tried += 1
        if told.findings:
            assert all(each.code and each.path for each in told.findings), what
            refused += 1
        for line in told.lines:
            assert int(line.amount) > 0 and line.account and line.booking_date, what
    assert tried > 40 and 0 < refused < tried


@pytest.mark.parametrize("name", sorted(GOOD)[:4])
def test_bytes_gone_wrong_on_the_way(name: str) -> None:
    """Cut, turned, filled up: whatever the bytes, an answer and no exception."""
    numbers, raw = random.Random(name), GOOD[name]
    for _ in range(60):
        at = numbers.randrange(len(raw))
        broken = numbers.choice(
            (
                raw[:at],
                raw[at:],
                raw[:at] + bytes([numbers.randrange(256)]) + raw[at + 1 :],
                raw + raw[at:],
                raw[:at] * 2,
            )
        )
        told = taken(broken)
        assert told.findings == () or told.findings[0].code


NAMES = "王李张欧阳古丽娜尔·买提（）㛃䶮 abc&<>\"'"


def test_a_thousand_random_orders_are_valid() -> None:
    """In files of 1 to 60: each passes the schema of pain.001.001.09, its own counts and sums, and holds each order."""
    numbers, left, day = random.Random(61), 1000, date(2026, 4, 7)
    while left:
        count = min(left, numbers.randint(1, 60))
        left -= count
        made = [
            replace(
                ONE,
                number=f"OQ26{left:05d}{place:03d}I1",
                amount=Fen(numbers.choice((1, numbers.randint(1, 10**6), numbers.randint(1, 10**11)))),
                payee_name=("".join(numbers.choices(NAMES, k=numbers.randint(1, 30)))).strip() or "王五",
                payee_id_kind=numbers.choice(("person", "organisation")),
                remark="".join(numbers.choices("调解款〔〕&<2026号 ", k=numbers.randint(0, 35))),
                execute_on=day + timedelta(days=numbers.randint(0, 30)),
                batch_id=f"B{left}",
            )
            for place in range(count)
        ]
        document = BANK.batch(made, context(BANK)).document
        kind, message = iso.parse_document(document)  # raises on the first breach of the schema
        payments = list(iso.every(message, "PmtInf/CdtTrfTxInf"))
        assert kind == iso.PAIN_001 and len(payments) == count
        assert iso.text(message, "GrpHdr/NbOfTxs") == str(count)
        assert iso.text(message, "GrpHdr/CtrlSum") == Fen(sum(int(each.amount) for each in made)).yuan_text()
        told = {iso.text(each, "PmtId/EndToEndId"): iso.text(each, "Amt/InstdAmt") for each in payments}
        assert told == {each.number: each.amount.yuan_text() for each in made}
