"""The hub's side of the wallet's gateway, written for the tests: keys, forms, replies, notifies."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509 import load_pem_x509_certificate

from sandbox.certificates import name_of, rsa_key, self_signed
from tests.sandbox.conftest import Listener, Sandbox


def form_of(body: bytes, charset: str = "utf-8") -> dict[str, str]:
    return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding=charset))


def canonical(fields: dict[str, str], without: tuple[str, ...]) -> str:
    return "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v and k not in without)


class WalletEnd:
    """The hub as the wallet meets it."""

    app_id = "2021009900330399"

    def __init__(self, box: Sandbox, listener: Listener) -> None:
        self.box, self.listener = box, listener
        here = box.var / "sandbox"
        self.key = rsa_key(here / "test" / "alipay_app.key")
        name = name_of("hub app", "test", "SYNTHETIC TEST ONLY")
        own = self_signed(here / "hub_certs" / "alipay_app.crt", self.key, name)
        issuer = "CN=hub app,OU=test,O=SYNTHETIC TEST ONLY,C=CN"
        self.serial = hashlib.md5((issuer + str(own.serial_number)).encode()).hexdigest()
        self.root_serial = box.http.get("/control/alipay/book").json()["root_cert_sn"]
        self.word = b"success"
        listener.answer = lambda _: (200, "text/plain", self.word)
        box.http.put("/control/endpoints", json={"alipay": f"{listener.url}/alipay"})

    def form(self, method: str, biz: dict[str, Any], **changes: str) -> dict[str, str]:
        fields = {
            "app_id": self.app_id, "method": method, "format": "json", "charset": "utf-8", "sign_type": "RSA2",
            "timestamp": "2026-04-01 09:00:00", "version": "1.0", "app_cert_sn": self.serial,
            "alipay_root_cert_sn": self.root_serial, "biz_content": json.dumps(biz, ensure_ascii=False),
        } | changes  # fmt: skip
        content = canonical(fields, ("sign",)).encode()
        fields["sign"] = base64.b64encode(
            self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        ).decode()
        return fields

    def post(self, fields: dict[str, str]) -> httpx.Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        return self.box.http.post("/alipay/gateway.do", content=urlencode(fields).encode(), headers=headers)

    def call(self, method: str, biz: dict[str, Any]) -> dict[str, Any]:
        """The node of a signed reply, its signature checked over the exact bytes."""
        reply = self.post(self.form(method, biz))
        assert reply.status_code == 200, reply.text
        node, good = self.opened(reply.content)
        assert good
        return node

    def opened(self, content: bytes) -> tuple[dict[str, Any], bool]:
        text = content.decode()
        told = json.loads(text)
        name = next(key for key in told if key.endswith("_response"))
        start = text.index(f'"{name}":') + len(name) + 3
        _, end = json.JSONDecoder().raw_decode(text, start)
        certificate = load_pem_x509_certificate((self.box.var / "sandbox/certs/alipay.crt").read_bytes())
        return told[name], self._good(text[start:end].encode(), told.get("sign", ""), certificate)

    def _good(self, content: bytes, sign: str, certificate: Any) -> bool:
        try:
            certificate.public_key().verify(
                base64.b64decode(sign), content, padding.PKCS1v15(), hashes.SHA256()
            )
        except Exception:
            return False
        return True

    def transfer(self, number: str, yuan: str = "100.00", **changes: Any) -> dict[str, Any]:
        return self.call("alipay.fund.trans.uni.transfer", transfer_biz(number, yuan, **changes))

    def query(self, number: str) -> dict[str, Any]:
        biz = {"out_biz_no": number, "product_code": "TRANS_ACCOUNT_NO_PWD", "biz_scene": "DIRECT_TRANSFER"}
        return self.call("alipay.fund.trans.common.query", biz)

    def bill(self, day: str) -> dict[str, Any]:
        return self.call(
            "alipay.data.dataservice.bill.downloadurl.query", {"bill_type": "trade", "bill_date": day}
        )

    def act(self, name: str, /, **order: Any) -> dict[str, Any]:
        return self.box.order(f"alipay/{name}", **order)

    def book(self) -> dict[str, Any]:
        return dict(self.box.http.get("/control/alipay/book").json())

    def notifies(self) -> list[dict[str, str]]:
        """Forms that reached the hub; each verified against the wallet's certificate."""
        certificate = load_pem_x509_certificate((self.box.var / "sandbox/certs/alipay.crt").read_bytes())
        forms = []
        for seen in self.listener.seen:
            charset = form_of(seen.body).get("charset", "utf-8")
            fields = form_of(seen.body, charset)
            content = canonical(fields, ("sign", "sign_type")).encode(charset)
            fields["verified"] = str(self._good(content, fields["sign"], certificate))
            forms.append(fields)
        return forms


def transfer_biz(number: str, yuan: str = "100.00", **changes: Any) -> dict[str, Any]:
    return {
        "out_biz_no": number, "trans_amount": yuan, "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER", "order_title": "人民调解赔偿款",
        "payee_info": {"identity": "10057701887", "identity_type": "ALIPAY_LOGON_ID", "name": "章磊"},
        "remark": "瓯栖调〔2026〕南屏0929号",
    } | changes  # fmt: skip
