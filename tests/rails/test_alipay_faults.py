"""The sixteen faults of the vendor's SDK: each shown on the SDK's own client, and not on ours.

Where a fault is of the wire, both call a server of this test's own. The SDK knows no port but 80 (fault 5), so its
connections are led to the server's port; nothing else of it is touched.
"""

from __future__ import annotations

import base64
import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel
from alipay.aop.api.exception.Exception import RequestException, ResponseException
from alipay.aop.api.response.AlipayFundTransUniTransferResponse import AlipayFundTransUniTransferResponse
from alipay.aop.api.util import SignatureUtils, WebUtils
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from escrow.rails import Incoming, Instruction
from escrow.rails.alipay import signing
from foundation.wire import Wire
from schemas.money import Fen
from tests.rails.alipay_side import (
    ONE,
    QUERY,
    body_of,
    business,
    node,
    notify_form,
    signed_reply,
    trusting,
)
from tests.rails.bench import ALIPAY, context, our_key, sent
from tests.rails.sdk_side import (
    PATH,
    PLAIN,
    Act,
    Server,
    answer,
    form_of,
    ours,
    plain_reply,
    read,
    says,
    sdk,
    sdk_reads,
    sdk_request,
)
from tests.rails.test_alipay_sdk import sdk_key


def test_01_certificate_mode(serve: Callable[[Act], Server], wire: Wire) -> None:
    server = serve(says(plain_reply(node(status="SUCCESS"))))
    sdk().execute(sdk_request())
    ours(wire, server)
    theirs, own = (form_of(each) for each in server.requests)
    assert not {"app_cert_sn", "alipay_root_cert_sn"} & theirs.keys()
    assert all(len(own[name]) >= 32 for name in ("app_cert_sn", "alipay_root_cert_sn"))
    # In certificate mode the reply names its certificate: the SDK cannot read it at all.
    with pytest.raises(ResponseException):
        sdk_reads(signed_reply(node(status="SUCCESS")))
    assert read(signed_reply(node(status="SUCCESS"))).outcomes[0].outcome == "DONE"
    text = signing.canonical_text(own)
    assert "app_cert_sn=" in text and signing.verify(
        text.encode(), own["sign"], [trusting().keys.certificate("x")], trusting().now
    )


@pytest.mark.parametrize(
    "digest",
    [hashes.MD5(), hashes.SHA1(), hashes.SHA224(), hashes.SHA512()],
    ids=["md5", "sha1", "sha224", "sha512"],
)
def test_02_other_digests(digest: hashes.HashAlgorithm) -> None:
    text = json.dumps(node(status="SUCCESS"), separators=(",", ":"))
    value = base64.b64encode(our_key().sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    raw = f'{{"alipay_fund_trans_uni_transfer_response":{text},"sign":"{value}"}}'.encode()
    assert json.loads(sdk_reads(raw))["status"] == "SUCCESS"
    advice = read(raw)
    assert [f.code for f in advice.findings] == ["SIGNATURE_INVALID"] and advice.outcomes[
        0
    ].outcome == "UNKNOWN"


def test_03_a_reply_to_another_call() -> None:
    for raw, code in (
        (plain_reply(node(status="SUCCESS"), QUERY), "REPLY_MISMATCH"),
        (plain_reply(node(status="SUCCESS", out_biz_no="OQAL202700000010")), "REPLY_MISMATCH"),
    ):
        assert json.loads(sdk_reads(raw))["status"] == "SUCCESS"
        advice = read(raw)
        assert advice.findings[0].code == code and advice.outcomes[0].outcome == "UNKNOWN"


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({}, "UNKNOWN"),
        ({"code": "20000"}, "UNKNOWN"),
        ({"code": "10003"}, "IN_PROCESS"),
        ({"code": "10000"}, "UNKNOWN"),
    ],
)
def test_04_success_that_is_none(told: dict[str, str], outcome: str) -> None:
    response = AlipayFundTransUniTransferResponse()
    response.parse_response_content(json.dumps(told))
    assert response.is_success()
    assert read(signed_reply({**told, "out_biz_no": ONE.number})).outcomes[0].outcome == outcome


def test_05_a_port_in_the_address(serve: Callable[[Act], Server], wire: Wire) -> None:
    server = serve(says(plain_reply(node(status="SUCCESS"))))
    with pytest.raises(TypeError):
        sdk(server_url=f"http://127.0.0.1:{server.port}{PATH}").execute(sdk_request())
    assert server.requests == [] and ours(wire, server).outcome == "ANSWERED"


@pytest.mark.parametrize("status", [302, 404, 500, 502, 504])
def test_06_any_other_http_status(serve: Callable[[Act], Server], wire: Wire, status: int) -> None:
    server = serve(says(b"<html/>", status))
    with pytest.raises(TypeError):
        sdk().execute(sdk_request())
    reply = ours(wire, server)
    assert (reply.outcome, reply.status) == ("ANSWERED", status)
    assert read(reply.content, status).outcomes[0].outcome == "UNKNOWN"


def hang_up(connection: socket.socket, _: int) -> None:
    connection.close()


def half(connection: socket.socket, _: int) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
    connection.close()


def test_07_a_lost_connection(serve: Callable[[Act], Server], wire: Wire) -> None:
    kinds, outcomes = [], []
    for act in (hang_up, half, None):
        server = serve(act or hang_up)
        if act is None:
            server.close()
        with pytest.raises(Exception) as caught:
            sdk().execute(sdk_request())
        kinds.append(type(caught.value))
        outcomes.append(ours(wire, server).outcome)
    # Three kinds, and a refused connection is told by the same class as a request that failed half way.
    assert len(set(kinds)) == 3 and kinds[2] is RequestException
    assert outcomes == ["UNKNOWN", "UNKNOWN", "NOT_SENT"]


def test_07_not_sent_and_maybe_sent_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off in the middle of sending, the SDK raises what it raises when nothing was sent at all."""

    class CutOff(PLAIN):
        def __init__(self, host: str, port: int, timeout: float) -> None:
            super().__init__(host, port, timeout=timeout)

        def connect(self) -> None:
            self.sock, other = socket.socketpair()
            other.close()

    monkeypatch.setattr(WebUtils.httplib, "HTTPConnection", CutOff)
    with pytest.raises(RequestException):
        sdk().execute(sdk_request())


def test_08_a_dripping_answer(serve: Callable[[Act], Server], wire: Wire) -> None:
    whole = answer(plain_reply(node(status="SUCCESS")))
    pieces = [whole[:20], whole[20:40], whole[40:60], whole[60:]]

    def drip(connection: socket.socket, _: int) -> None:
        for piece in pieces:
            time.sleep(0.6)
            connection.sendall(piece)

    server = serve(drip)
    began = time.monotonic()
    sdk(timeout=1).execute(sdk_request())
    assert time.monotonic() - began > 2  # twice as long as was allowed, and no complaint
    assert ours(wire, server, timeout_s=1.0).outcome == "UNKNOWN"


def test_09_fields_and_floats() -> None:
    model = AlipayFundTransUniTransferModel.from_alipay_dict({"out_biz_no": "N1", "trans_amout": "1.00"})
    assert model.to_alipay_dict() == {"out_biz_no": "N1"}
    model.trans_amount = 0.1 + 0.2
    assert model.to_alipay_dict()["trans_amount"] == 0.30000000000000004
    with pytest.raises(TypeError):
        Instruction(**{**vars(ONE), "trans_amout": Fen(1)})
    with pytest.raises(TypeError):
        replace(ONE, amount=Fen(0.3))  # type: ignore[arg-type]


def test_10_content_encryption(serve: Callable[[Act], Server], wire: Wire) -> None:
    """Ours asks for none: the content is kept by TLS, and nothing stands in the way of a call."""
    server = serve(says(plain_reply(node(status="SUCCESS"))))
    with pytest.raises(TypeError):
        sdk(encrypt_type="AES", encrypt_key=base64.b64encode(bytes(16)).decode()).execute(sdk_request())
    assert server.requests == []
    assert ours(wire, server).outcome == "ANSWERED" and "encrypt_type" not in form_of(server.requests[0])


def test_11_pkcs8_keys() -> None:
    pem = our_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(Exception, match=r"(?i)tag|asn|expected|substrate|sequence|value|no "):
        SignatureUtils.sign_with_rsa2("".join(pem.decode().splitlines()[1:-1]), "a=1", "utf-8")
    key = serialization.load_pem_private_key(pem, None)
    assert signing.sign("a=1", key) == SignatureUtils.sign_with_rsa2(sdk_key(), "a=1", "utf-8")


def test_12_signing_is_at_least_fifty_times_faster() -> None:
    """By processor time of this thread, so that a busy machine changes nothing: best of several of each."""
    text = signing.canonical_text(
        form_of(b"POST / HTTP/1.1\r\n\r\n" + ALIPAY.order(ONE, context(ALIPAY)).body)
    )

    def cost(sign: Callable[[], Any], times: int) -> float:
        spent = []
        for _ in range(times):
            began = time.thread_time()
            sign()
            spent.append(time.thread_time() - began)
        return min(spent)

    key = sdk_key()
    theirs = cost(lambda: SignatureUtils.sign_with_rsa2(key, text, "utf-8"), 3)
    own = cost(lambda: signing.sign(text, our_key()), 50)
    assert theirs / own >= 50, f"SDK {1 / theirs:.0f}/s, ours {1 / own:.0f}/s"


def test_13_notices_are_verified() -> None:
    assert not [
        name for name in [*dir(DefaultAlipayClient), *dir(SignatureUtils)] if "notify" in name.lower()
    ]
    # What the SDK has for a reply takes a notice that was signed with MD5 for whole.
    form = notify_form(business())
    text = signing.canonical_text(form, ("sign", "sign_type"))
    weak = base64.b64encode(our_key().sign(text.encode(), padding.PKCS1v15(), hashes.MD5())).decode()
    public = (
        our_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    assert SignatureUtils.verify_with_rsa("".join(public.decode().splitlines()[1:-1]), text.encode(), weak)
    ctx = trusting(known_order=lambda _: sent(ONE.number, int(ONE.amount), "2026-03-21T10:00:00"))
    good = ALIPAY.verify(Incoming(body_of(form), "callback"), ctx)
    assert good.findings == () and good.ask == (ONE.number,)
    for wrong in (weak, form["sign"][:-8] + "AAAAAAA=", ""):
        told = ALIPAY.verify(Incoming(body_of({**form, "sign": wrong}), "callback"), ctx)
        assert told.findings and told.findings[0].code.startswith("SIGNATURE_")


def test_14_beijing_time(serve: Callable[[Act], Server], wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(says(plain_reply(node(status="SUCCESS"))))
    for zone in ("UTC", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        sdk().execute(sdk_request())
        ours(wire, server)
    monkeypatch.undo()
    time.tzset()
    stamps = [form_of(each)["timestamp"] for each in server.requests]
    assert stamps[0][:13] != stamps[2][:13]  # the SDK's hour is the machine's
    assert stamps[1] == stamps[3] == "2026-04-10 09:00:00"  # ours is Beijing's, of the moment handed in


def test_15_logs_hold_no_names(
    serve: Callable[[Act], Server], wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(says(plain_reply(node(status="SUCCESS"))))
    private = (ONE.payee_name, ONE.payee_account)
    with caplog.at_level(logging.DEBUG):
        read(ours(wire, server).content)
    assert not [text for text in private if text in caplog.text]
    with caplog.at_level(logging.INFO):
        sdk(logging.getLogger("sdk")).execute(sdk_request())
    assert all(text in caplog.text for text in private)


def test_16_connections_are_kept(serve: Callable[[Act], Server], wire: Wire) -> None:
    server = serve(says(plain_reply(node(status="SUCCESS"))))
    for _ in range(3):
        ours(wire, server)
    assert server.connections == 1
    for _ in range(3):
        sdk().execute(sdk_request())
    assert server.connections == 4
