"""Alipay: bills and certificates at their edges."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from asn1crypto import core, pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from escrow.rails import Advice, Incoming
from escrow.rails.alipay import signing
from tests.rails.bench import (
    ALIPAY,
    context,
    contract_certificate,
    example,
    our_key,
    self_signed,
)

# --- requests ------------------------------------------------------------------------------------------------------

# --- bills ---------------------------------------------------------------------------------------------------------

BILL = example(ALIPAY, "p29_bill.csv").decode("gbk")


def billed(text: str | bytes, **settings: str) -> Advice:
    raw = text if isinstance(text, bytes) else text.encode("gbk")
    return ALIPAY.statement(raw, replace(context(ALIPAY), settings=settings))


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_bill_in_a_zip():
    raw = BILL.encode("gbk")
    advice = billed(zipped(**{"a_业务明细.csv": raw, "a_业务明细(汇总).csv": b"#x"}))
    assert len(advice.lines) == 8 and not advice.findings
    assert billed(zipped(**{"a.txt": raw})).findings[0].code == "SCHEMA_VIOLATION"
    assert billed(zipped(**{"../a.csv": raw})).findings[0].code == "ARCHIVE_UNSAFE"
    assert ALIPAY.verify(Incoming(raw, "file"), context(ALIPAY)).lines == advice.lines


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("交易合计：8笔", "交易合计：9笔", "COUNT_MISMATCH"),
        ("-64298.02,-64298.02", "-64298.021,-64298.02", "AMOUNT_UNREADABLE"),
        ("2026-02-10 10:05:00,2026-02-10 10:05:00", "x,y", "DATE_UNREADABLE"),
        ("商户订单号", "订单号", "SCHEMA_VIOLATION"),
        (",转账,", ",转账,,", "SCHEMA_VIOLATION"),
    ],
)
def test_bills_refused(old, new, code):
    advice = billed(BILL.replace(old, new))
    assert [f.code for f in advice.findings] == [code] and advice.lines == ()


def test_another_accounts_bill():
    assert billed(BILL, wallet="2088000000000001").findings[0].code == "WRONG_RECEIVER"
    assert not billed(BILL, wallet="2088000000000000").findings
    assert billed(b"\xff\xff\xff\n").findings[0].code == "ENCODING_MISMATCH"


def test_returns_top_ups_and_fees():
    rows = BILL.splitlines()
    at = next(i for i, row in enumerate(rows) if "OQAL202600006006" in row)
    back = rows[at].replace("-64298.02", "64298.02").replace("转账", "退款")
    top_up = rows[at].replace("OQAL202600006006", "").replace("-64298.02", "100.00").replace("9905", "9906")
    fee = rows[at].replace(",,0.00,0.00,瓯", ",,-0.10,0.00,瓯").replace("9905", "9907")
    text = "\r\n".join([*rows[: at + 1], back, top_up, fee, *rows[at + 1 :]]).replace(
        "合计：8笔", "合计：11笔"
    )
    advice = billed(text)
    payout, returned, topped, paid, charged = advice.lines[:5]
    assert (payout.returned, returned.returned, topped.returned) == ("", "REFUND", "")
    assert (
        returned.our_number == payout.our_number
        and returned.key != payout.key
        and returned.direction == "CRDT"
    )
    assert (topped.our_number, topped.direction, topped.amount) == (None, "CRDT", 10000)
    assert (charged.text, charged.direction, charged.amount) == ("服务费", "DBIT", 10) and paid.our_number
    assert len({line.key for line in advice.lines}) == len(advice.lines) == 12


# --- certificate serials -------------------------------------------------------------------------------------------


def test_certificate_serial_is_md5_of_reversed_issuer_and_number():
    import hashlib

    made = contract_certificate("alipay", "alipay")
    text = f"O=SYNTHETIC TEST ONLY,CN=alipay.test{made.serial_number}"
    assert signing.certificate_serial(made) == hashlib.md5(text.encode()).hexdigest()


def test_root_bundle_with_a_block_that_cannot_be_read():
    """One root of the real bundle has data that `cryptography` refuses: it is read block by block."""
    good = [self_signed(name, our_key()) for name in ("R1", "R2")]
    odd = asn1_x509.Certificate.load(good[0].public_bytes(serialization.Encoding.DER))
    serial = core.Integer(5)
    serial.contents = b"\x00\x00" + serial.contents
    odd["tbs_certificate"]["serial_number"] = serial
    odd["signature_algorithm"] = asn1_x509.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})
    blocks = [one.public_bytes(serialization.Encoding.PEM) for one in good]
    bundle = blocks[0] + pem.armor("CERTIFICATE", odd.dump(force=True)) + blocks[1]
    assert signing.root_serial_of_bundle(bundle) == signing.root_serial(good)
    assert signing.root_serial(good).count("_") == 1


def test_issuer_in_several_parts():
    from cryptography.hazmat.primitives import hashes

    parts = [
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "甲,乙"),
        (NameOID.COMMON_NAME, "Root"),
    ]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    plain = self_signed("x", our_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(our_key().public_key())
        .serial_number(77)
        .not_valid_before(plain.not_valid_before_utc)
        .not_valid_after(plain.not_valid_after_utc)
        .sign(our_key(), hashes.SHA256())
    )
    assert made.issuer.rfc4514_string().startswith("CN=Root,O=")
    assert len(signing.certificate_serial(made)) == 32
