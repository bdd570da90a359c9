"""Acceptance 7: a wrong signature, and a right one over another part than the one that is read, at every service."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from lxml import etree

from tests.acceptance.attacks import Attack
from tests.acceptance.conftest import Api
from tests.acceptance.senders import ALIPAY, ARBITRATION, BANK, PETITION, PROCURATORATE, Sender
from tests.acceptance.test_bad_input import judge
from tests.connectors import arbitration_side, jcy_side
from tests.connectors.test_procuratorate_wrapping import PLACEMENTS
from tests.rails import alipay_side, bank_side

pytestmark = pytest.mark.slow


def _petition() -> Iterator[Attack]:
    body, headers = PETITION.seal(PETITION.right())
    for token in ("", "wrong", "." * 20, headers["X-XF-Token"] + "x", headers["X-XF-Token"].upper(), "%E9"):
        yield Attack(f"token {token[:6]!r}", body, {**headers, "X-XF-Token": token})
    yield Attack("no token", body, {name: value for name, value in headers.items() if name != "X-XF-Token"})


def _procuratorate() -> Iterator[Attack]:
    headers = PROCURATORATE.headers
    payload = etree.fromstring(PROCURATORATE.right())
    for placement in PLACEMENTS:
        root = etree.fromstring(jcy_side.sign(payload))
        placement(root)
        yield Attack(f"wrapped: {placement.__name__}", etree.tostring(root), headers)
    yield Attack("a key that nobody knows", jcy_side.sign(payload, pair="stranger"), headers)
    yield Attack("another password", jcy_side.sign(payload, password="other"), headers)
    yield Attack("no user", jcy_side.sign(payload, user=False), headers)
    yield Attack("an hour old", jcy_side.sign(payload, now=jcy_side.NOW - timedelta(hours=1)), headers)
    yield Attack("from the future", jcy_side.sign(payload, now=jcy_side.NOW + timedelta(hours=1)), headers)
    signed = jcy_side.sign(payload)
    yield Attack("another sum", signed.replace(b"22735.99", b"99735.99"), headers)
    yield Attack(
        "signature value cut", signed.replace(b"SignatureValue>", b"SignatureValue>AAAA", 1), headers
    )
    yield Attack("weak digest", signed.replace(b"xmlenc#sha256", b"xmldsig#sha1"), headers)
    yield Attack("unsigned", _unsigned(signed), headers)


def _unsigned(signed: bytes) -> bytes:
    root = etree.fromstring(signed)
    for each in root.findall(".//{http://www.w3.org/2000/09/xmldsig#}Signature"):
        parent = each.getparent()
        assert parent is not None
        parent.remove(each)
    return etree.tostring(root)


def _arbitration() -> Iterator[Attack]:
    one, other = ARBITRATION.right(), ARBITRATION.right()
    _, sealed = ARBITRATION.seal(one)
    t, secret = arbitration_side.T, arbitration_side.SECRET

    def under(value: str) -> dict[str, str]:
        return {**sealed, "X-Arb-Signature": value}

    yield Attack("the seal of another body", other, sealed)
    yield Attack("a blank more", one + b" ", sealed)
    yield Attack("another secret", one, under(arbitration_side.seal(one, "other", t)))
    yield Attack("old", one, under(arbitration_side.seal(one, secret, t - 3600)))
    yield Attack(
        "time changed after sealing", one, under(sealed["X-Arb-Signature"].replace(f"t={t}", f"t={t + 1}"))
    )
    yield Attack("two seals", one, under(f"{sealed['X-Arb-Signature']},v1={'0' * 64}"))
    for value in (
        "",
        "t=,v1=",
        f"t={t}",
        f"v1={'0' * 64}",
        f"t=-1,v1={'0' * 64}",
        f"t={'9' * 400},v1={'0' * 64}",
    ):
        yield Attack(f"seal {value[:12]!r}", one, under(value))


def _bank() -> Iterator[Attack]:
    headers = BANK.headers
    other = BANK.changed(r"(?<=<Amt Ccy='CNY'>)[^<]+", "999.00")
    told = json.loads(BANK.seal(BANK.right())[0])

    def wire(**changes: object) -> bytes:
        return json.dumps({**told, **changes}).encode()

    payload, digest = base64.b64encode(other).decode(), hashlib.sha256(other).hexdigest().upper()
    yield Attack("another payload", wire(payload=payload), headers)
    yield Attack("another payload with its digest", wire(payload=payload, sha256=digest), headers)
    yield Attack("another id", wire(requestId="OQB99999999998"), headers)
    yield Attack("another kind", wire(msgType="camt.053.001.08"), headers)
    yield Attack("another time", wire(sentAt="20260401090000999"), headers)
    yield Attack("payload twice", wire().replace(b'"payload":', b'"payload": "QUJD", "payload":', 1), headers)
    for name, value in (
        ("alg", "none"),
        ("alg", "HMAC-SHA256"),
        ("value", ""),
        ("value", "AAAA"),
    ):
        yield Attack(
            f"signature {name} {value!r}", wire(signature={**told["signature"], name: value}), headers
        )
    without = {name: value for name, value in told.items() if name != "signature"}
    yield Attack("no signature", json.dumps(without).encode(), headers)
    stranger = bank_side.signed({**told, "institution": "OQHUB"})
    yield Attack("another institution", json.dumps(stranger).encode(), headers)


def _wallet() -> Iterator[Attack]:
    headers = ALIPAY.headers
    form = alipay_side.notify_form(alipay_side.business())

    def wire(**changes: str) -> bytes:
        return alipay_side.body_of({**form, **changes})

    yield Attack(
        "another sum", wire(biz_content=form["biz_content"].replace("55927.01", "99999.01")), headers
    )
    yield Attack("another application", wire(app_id="2021000000000000"), headers)
    yield Attack("sum twice", wire() + b"&biz_content=%7B%7D", headers)
    yield Attack("no sign", wire(sign=""), headers)
    yield Attack("sign of nonsense", wire(sign="AAAA"), headers)
    yield Attack("sign type RSA", wire(sign_type="RSA"), headers)
    yield Attack("a field more", wire(refund_fee="1.00"), headers)


CASES = (
    (PETITION, _petition),
    (PROCURATORATE, _procuratorate),
    (ARBITRATION, _arbitration),
    (BANK, _bank),
    (ALIPAY, _wallet),
)


@pytest.mark.parametrize(("sender", "attacks"), CASES, ids=[sender.name for sender, _ in CASES])
def test_signatures(api: Api, sender: Sender, attacks: Callable[[], Iterator[Attack]]) -> None:
    wrong = judge(api, sender, attacks())
    assert not wrong, "\n".join(wrong)
