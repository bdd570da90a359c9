"""The hub's side of the bank's link, written for the tests: keys, envelopes, orders; and the process on a port."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from sandbox.bank.xsd import parse, validate
from sandbox.bank_process import make_app
from sandbox.certificates import name_of, rsa_key, self_signed
from schemas.money import Fen
from tests.sandbox.conftest import Listener, Reply, Sandbox, Seen, free_port

PARENT = "9900339900000100000"
NS = "urn:iso:std:iso:20022:tech:xsd:"
_numbers = count(1)


@contextmanager
def served(var: Path, hub_url: str) -> Iterator[Sandbox]:
    """The bank process in this process, on a free port."""
    port = free_port()
    config = uvicorn.Config(
        make_app(var, hub_url, seed=7, pool_fen=0), host="127.0.0.1", port=port, log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    box = Sandbox(f"http://127.0.0.1:{port}", var)
    try:
        yield box
    finally:
        box.http.close()
        server.should_exit = True
        thread.join(10)


class BankEnd:
    """The hub as the bank meets it."""

    def __init__(self, box: Sandbox, listener: Listener) -> None:
        self.box, self.listener = box, listener
        here = box.var / "sandbox"
        self.key = rsa_key(here / "test" / "bank_link.key")
        name = name_of("hub link", "test", "SYNTHETIC TEST ONLY")
        self_signed(here / "hub_certs" / "bank_link.crt", self.key, name)
        self.code, self.answered = "A00000", 0
        listener.answer = self._answer
        box.http.put("/control/endpoints", json={"bank": f"{listener.url}/bank"})

    def _answer(self, seen: Seen) -> Reply:
        answer = {"requestId": json.loads(seen.body)["requestId"], "code": self.code, "message": ""}
        self.answered += 1
        return 200, "application/json", json.dumps(answer).encode()

    # --- what the hub sends ---------------------------------------------------------------------------------

    def envelope(self, payload: bytes, msg_type: str, request_id: str = "", **changes: Any) -> dict[str, Any]:
        request_id = request_id or f"HUB{next(_numbers):012d}"
        digest = hashlib.sha256(payload).hexdigest().upper()
        sent_at = "20260401090000123"
        signed = "|".join((request_id, msg_type, sent_at, digest)).encode()
        value = base64.b64encode(self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()
        told = {
            "requestId": request_id, "msgType": msg_type, "bizDate": "20260401", "sentAt": sent_at,
            "institution": "OQSFJ01", "seq": 1, "sha256": digest, "payload": base64.b64encode(payload).decode(),
            "signature": {"alg": "RSA2048-SHA256", "keyId": "HUB-1", "value": value},
        }  # fmt: skip
        return told | changes

    def post(self, told: dict[str, Any]) -> dict[str, Any]:
        reply = self.box.http.post("/bank/escrow/v1/messages", json=told)
        assert reply.status_code == 200
        return dict(reply.json())

    def pay(self, *orders: dict[str, Any], msg_id: str = "", request_id: str = "") -> dict[str, Any]:
        return self.post(self.envelope(pain001(*orders, msg_id=msg_id), "pain.001.001.09", request_id))

    def open(self, case_ref: str, request_id: str = "") -> str:
        told = {
            "requestId": request_id or f"OPEN{case_ref}00", "parentAccount": PARENT, "caseRef": case_ref,
            "caseName": "买卖合同纠纷", "expectedFen": 100,
        }  # fmt: skip
        reply = self.box.http.post("/bank/escrow/v1/subaccounts", json=told).json()
        assert reply["code"] == "A00000", reply
        return str(reply["subaccount"])

    def funded(self, case_ref: str, fen: int) -> str:
        account = self.open(case_ref)
        self.act(
            "deposit", account=account, fen=fen, payer={"name": "王小明", "account": "9955000033041087856"}
        )
        return account

    # --- what the bank does and shows -----------------------------------------------------------------------

    def act(self, name: str, /, **order: Any) -> dict[str, Any]:
        return self.box.order(f"bank/{name}", **order)

    def book(self, **query: str) -> dict[str, Any]:
        return dict(self.box.http.get("/control/bank/book", params=query).json())

    def account(self, number: str) -> dict[str, Any]:
        return next(one for one in self.book()["accounts"] if one["account"] == number)

    def payment(self, e2e: str) -> dict[str, Any]:
        return dict(self.book(e2e=e2e)["payments"][0])

    def settled(self, e2e: str, state: str = "ACSC") -> dict[str, Any]:
        until(lambda: self.payment(e2e)["state"] == state)
        return self.payment(e2e)

    def messages(self, kind: str = "") -> list[Message]:
        """Messages pushed so far, in order of arrival, checked as the contract wants."""
        found = [Message(json.loads(seen.body), self.box.var) for seen in self.listener.seen]
        return [one for one in found if one.msg_type.startswith(kind)]

    def wait(self, kind: str, number: int = 1) -> list[Message]:
        until(lambda: len(self.messages(kind)) >= number)
        return self.messages(kind)


class Message:
    """A message from the bank: envelope signature, digest and schema have been checked."""

    def __init__(self, told: dict[str, Any], var: Path) -> None:
        self.told, self.msg_type, self.seq = told, told["msgType"], told["seq"]
        self.payload = base64.b64decode(told["payload"])
        assert hashlib.sha256(self.payload).hexdigest().upper() == told["sha256"]
        self.signed_well = _verifies(told, var)
        self.root = parse(self.payload)
        validate(self.root, self.msg_type)

    def all(self, path: str) -> list[str]:
        found = self.root.findall(".//" + "/".join(f"{{*}}{step}" for step in path.split("/")))
        return [(one.text or "").strip() for one in found]

    def one(self, path: str) -> str:
        found = self.all(path)
        assert len(found) == 1, (path, found)
        return found[0]


def _verifies(told: dict[str, Any], var: Path) -> bool:
    path = var / "sandbox" / "certs" / f"bank_{told['signature']['keyId']}.crt"
    key = load_pem_x509_certificate(path.read_bytes()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signed = "|".join(told[name] for name in ("requestId", "msgType", "sentAt", "sha256")).encode()
    try:
        key.verify(base64.b64decode(told["signature"]["value"]), signed, padding.PKCS1v15(), hashes.SHA256())
    except Exception:
        return False
    return True


def until(done: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something, bounded."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("did not come about")


def order(e2e: str, account: str, fen: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "e2e": e2e, "account": account, "fen": fen, "name": "胡寿霞", "id": "330399196410245775",
        "payee": "9955000033040771096", "bank": "402339900014", "on": "2026-04-01", "text": "调解款",
    }  # fmt: skip
    return plain | changes


def pain001(*orders: dict[str, Any], msg_id: str = "", ctrl_sum: str = "", count_: str = "") -> bytes:
    """A pain.001 of one PmtInf a payment."""
    msg_id = msg_id or f"FILE{next(_numbers):06d}"
    total = ctrl_sum or Fen(sum(one["fen"] for one in orders)).yuan_text()
    infos = "".join(_pmtinf(msg_id, place, one) for place, one in enumerate(orders, 1))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NS}pain.001.001.09"><CstmrCdtTrfInitn><GrpHdr>'
        f"<MsgId>{msg_id}</MsgId><CreDtTm>2026-04-01T09:00:00</CreDtTm><NbOfTxs>{count_ or len(orders)}</NbOfTxs>"
        f"<CtrlSum>{total}</CtrlSum><InitgPty><Nm>专户</Nm></InitgPty></GrpHdr>{infos}</CstmrCdtTrfInitn></Document>"
    ).encode()


def _pmtinf(msg_id: str, place: int, one: dict[str, Any]) -> str:
    yuan = Fen(one["fen"]).yuan_text()
    member = "<ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>{}</MmbId></ClrSysMmbId>"
    return (
        f"<PmtInf><PmtInfId>{msg_id}P{place}</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>1</NbOfTxs><CtrlSum>{yuan}</CtrlSum>"
        f"<ReqdExctnDt><Dt>{one['on']}</Dt></ReqdExctnDt><Dbtr><Nm>专户</Nm></Dbtr><DbtrAcct><Id><Othr>"
        f"<Id>{one['account']}</Id><SchmeNm><Prtry>VSA</Prtry></SchmeNm></Othr></Id></DbtrAcct><DbtrAgt><FinInstnId>"
        f"{member.format('402339900017')}</FinInstnId></DbtrAgt><CdtTrfTxInf><PmtId><InstrId>{one['e2e']}N</InstrId>"
        f'<EndToEndId>{one["e2e"]}</EndToEndId></PmtId><Amt><InstdAmt Ccy="CNY">{yuan}</InstdAmt></Amt><CdtrAgt>'
        f"<FinInstnId>{member.format(one['bank'])}</FinInstnId></CdtrAgt><Cdtr><Nm>{one['name']}</Nm><Id><PrvtId><Othr>"
        f"<Id>{one['id']}</Id><SchmeNm><Cd>NIDN</Cd></SchmeNm></Othr></PrvtId></Id></Cdtr><CdtrAcct><Id><Othr>"
        f"<Id>{one['payee']}</Id></Othr></Id></CdtrAcct><RmtInf><Ustrd>{one['text']}</Ustrd></RmtInf></CdtTrfTxInf>"
        "</PmtInf>"
    )


def camt055(original: str, info_id: str, e2e: str) -> bytes:
    """A request to cancel one payment."""
    party = "<Pty><Nm>专户</Nm></Pty>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NS}camt.055.001.09"><CstmrPmtCxlReq><Assgnmt>'
        f"<Id>CXL{next(_numbers)}</Id><Assgnr>{party}</Assgnr><Assgne>{party}</Assgne>"
        f"<CreDtTm>2026-04-01T09:05:00</CreDtTm></Assgnmt><Undrlyg><OrgnlPmtInfAndCxl><OrgnlPmtInfId>{info_id}"
        f"</OrgnlPmtInfId><OrgnlGrpInf><OrgnlMsgId>{original}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>"
        f"</OrgnlGrpInf><TxInf><OrgnlEndToEndId>{e2e}</OrgnlEndToEndId></TxInf></OrgnlPmtInfAndCxl></Undrlyg>"
        "</CstmrPmtCxlReq></Document>"
    ).encode()
