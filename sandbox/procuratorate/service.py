"""The procuratorate's SOAP 1.2 service that the hub calls: ReturnResult and ListMessages, signed both ways."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from cryptography import x509
from lxml import etree

from sandbox.certificates import name_of, rsa_key, self_signed
from sandbox.desk import Answer, Desk, Finding, Inbound, finding
from sandbox.faults import Fault
from sandbox.procuratorate.messages import NS, PARTNER, Messages, local_text
from sandbox.procuratorate.verifier import Verifier
from sandbox.procuratorate.wss import Signer, WssTrouble, body_digest, canonical
from sandbox.soap import CONTENT_TYPE, SOAP12, Service, SoapTrouble, element, fault12, read_envelope

SERVICE = Service(Path(__file__).parent / "contract" / "collab-jcy.wsdl")
MAX_ENVELOPE = 30_000_000
MAX_ATTACHMENT = 5_000_000
NONCE_LIFE = timedelta(minutes=10)
RATE_PER_MINUTE = 20
MEDIA = ("application/pdf", "image/jpeg", "text/plain")


class Refusal(Exception):
    """A business refusal: `code` J…, the field it is about, the text."""

    def __init__(self, code: str, field: str, text: str, who: str = "Sender") -> None:
        super().__init__(text)
        self.code, self.field, self.who = code, field, who


class ProcuratorateService:
    def __init__(self, desk: Desk, messages: Messages) -> None:
        self._desk, self._messages = desk, messages
        home = desk.var / PARTNER
        key = rsa_key(home / "jcy.key")
        subject = name_of("330399J", "sandbox", "瓯栖县人民检察院（虚构）")
        certificate = self_signed(home / "jcy.crt", key, subject)
        mine = desk.credentials[PARTNER]
        self.signer = Signer(key, certificate, mine["user"], mine["password"])
        self._trusted = home / "trusted"
        self._trusted.mkdir(parents=True, exist_ok=True)

    def operation(self, call: Inbound) -> str:
        try:
            return read_envelope(call.body, SOAP12, MAX_ENVELOPE).operation
        except SoapTrouble:
            return "unreadable"

    def handle(self, call: Inbound, fault: Fault | None) -> Answer:
        """Check security, then schema, then the contract's rules, and carry the operation out."""
        broken = fault is not None and fault.kind == "wrong_signature"
        try:
            read = read_envelope(call.body, SOAP12, MAX_ENVELOPE)
        except SoapTrouble as trouble:
            code = "J0413" if trouble.code == "TOO_LARGE" else "J0201"
            return self._fault(
                code, str(trouble), finding(trouble.code, trouble.path, str(trouble), "SOAP 1.2")
            )
        try:
            self.verifier(request=True).check(read.root)
        except WssTrouble as trouble:
            note = finding(trouble.word, trouble.path, str(trouble), "WS-Security by the contract")
            return self._fault(trouble.code, str(trouble), note)
        wrong = SERVICE.violations(read.payload)
        if wrong:
            return self._fault(
                "J0201", wrong[0], finding("SCHEMA_VIOLATION", f"/{read.operation}", wrong[0], "WSDL")
            )
        try:
            self._not_too_often()
            if read.operation == "ListMessages":
                return self._list(read.payload, fault, broken)
            if read.operation == "ReturnResult":
                return self._result(read.root, read.payload, broken)
            raise Refusal("J0201", read.operation, "没有这个操作")
        except Refusal as refusal:
            note = finding(
                refusal.code, f"/{read.operation}/{refusal.field}", str(refusal), "the contract's rules"
            )
            answer = self._fault(refusal.code, str(refusal), note, refusal.field, refusal.who)
            answer.request_id = local_text(read.payload, "MsgId") or None
            answer.digest = hashlib.sha256(canonical(read.payload)).hexdigest()
            return answer

    def busy(self) -> Answer:
        """Its own trouble: retry in 60 s."""
        return self._fault("J0503", "系统繁忙", finding("FAULT", "/", "J0503", "-"), who="Receiver")

    def verifier(self, *, request: bool) -> Verifier:
        """`request` = a call of the hub (with UsernameToken); else a reply of the hub."""
        mine = self._desk.credentials[PARTNER]
        password = (mine["hub_user"], mine["hub_password"]) if request else None
        return Verifier(self.trusted(), self._desk.clock.now(), password, self._seen_nonce)

    def signing_time(self) -> datetime:
        """The signing gateway's clock, which drifts up to 50 s ahead (habit 7; rule `drift_s`)."""
        drift = min(float(self._desk.rules(PARTNER).get("drift_s") or 0), 50.0)
        return self._desk.clock.now() + timedelta(seconds=drift)

    def trusted(self) -> list[x509.Certificate]:
        """The hub's registered certificates, as files in `<var>/sandbox/procuratorate/trusted`."""
        return [
            x509.load_pem_x509_certificate(each.read_bytes()) for each in sorted(self._trusted.glob("*.crt"))
        ]

    def trust(self, pem: str) -> str:
        """Register a certificate of the hub."""
        certificate = x509.load_pem_x509_certificate(pem.encode())
        name = f"{certificate.serial_number:x}.crt"
        (self._trusted / name).write_text(pem, "utf-8")
        return name

    def _seen_nonce(self, nonce: str) -> bool:
        now = self._desk.clock.now().timestamp()
        kept = self._desk.books.get(PARTNER, "nonce", nonce)
        self._desk.books.put(PARTNER, "nonce", nonce, now)
        return kept is not None and abs(now - float(kept)) < NONCE_LIFE.total_seconds()

    def _not_too_often(self) -> None:
        if not self._desk.rules(PARTNER).get("rate"):
            return
        now = self._desk.clock.now().timestamp()
        calls = [at for at in self._desk.books.get(PARTNER, "rate", "calls") or [] if at > now - 60] + [now]
        self._desk.books.put(PARTNER, "rate", "calls", calls)
        if len(calls) > RATE_PER_MINUTE:
            raise Refusal("J0503", "-", "系统繁忙", "Receiver")

    def _fault(self, code: str, text: str, note: Finding, field: str = "", who: str = "Sender") -> Answer:
        detail = element(NS, "ServiceFault", [("Code", code), ("Field", field or None), ("Text", text[:200])])
        subcode = code if code.startswith("ws") else ""
        body = self.signer.sign(
            fault12(who, text[:200], detail, subcode), self.signing_time(), with_user=False
        )
        status = 400 if who == "Sender" else 500
        return Answer(status, body, CONTENT_TYPE[SOAP12], verdict=f"REFUSED {code}", findings=[note])

    def _reply(self, payload: etree._Element, broken: bool) -> Answer:
        body = self.signer.sign(payload, self.signing_time(), with_user=False, broken=broken)
        return Answer(200, body, CONTENT_TYPE[SOAP12])

    def _list(self, payload: etree._Element, fault: Fault | None, broken: bool) -> Answer:
        since, limit = int(local_text(payload, "SinceSeq")), int(local_text(payload, "Max") or 200)
        if not 1 <= limit <= 200:
            raise Refusal("J0201", "Max", "Max 为 1 至 200")
        found, gaps, last = self._messages.after(since, limit)
        if fault and fault.kind == "duplicate":
            found = found[:1] + found
        if fault and fault.kind == "wrong_order":
            found = found[::-1]
        reply = element(NS, "ListMessagesResponse", [])
        for each in found:
            item = etree.SubElement(reply, f"{{{NS}}}Item")
            # signed afresh: same MsgId, new nonce, timestamp and signature
            signed = self.signer.sign(each.payload, self.signing_time())
            values = (str(each.seq), each.msg_id, each.kind, base64.b64encode(signed).decode())
            for name, value in zip(("Seq", "MsgId", "Kind", "Envelope"), values, strict=True):
                etree.SubElement(item, f"{{{NS}}}{name}").text = value
        etree.SubElement(reply, f"{{{NS}}}LastSeq").text = str(last)
        for number in gaps:
            etree.SubElement(reply, f"{{{NS}}}Gap").text = str(number)
        return self._reply(reply, broken)

    def _result(self, root: etree._Element, payload: etree._Element, broken: bool) -> Answer:
        number, digest = local_text(payload, "MsgId"), hashlib.sha256(canonical(payload)).hexdigest()
        kept = self._desk.books.get(PARTNER, "result", number)
        if kept and kept["digest"] != digest:
            raise Refusal("J0208", "MsgId", "同号不同内容")
        notes = check_result(payload)
        if not self._messages.knows_case(local_text(payload, "CaseNo")):
            raise Refusal("J0404", "CaseNo", "查无此案")
        if not kept:
            count = self._desk.books.next_number(PARTNER, "result")
            kept = {"digest": digest, "receipt": f"JR{self._desk.clock.beijing():%Y%m%d}{count:06d}"}
            self._desk.books.put(PARTNER, "result", number, kept)
        fields = [
            ("Code", "J0000"),
            ("Text", ""),
            ("ReceiptNo", kept["receipt"]),
            ("Digest", body_digest(root)),
        ]
        answer = self._reply(element(NS, "Receipt", fields), broken)
        answer.request_id, answer.digest, answer.findings = number, digest, notes
        return answer


def check_result(payload: etree._Element) -> list[Finding]:
    """The contract's rules for ReturnResult beyond the schema. Raises Refusal; returns what it takes with care."""
    notes = []
    outcome, amount, paid = (local_text(payload, name) for name in ("Outcome", "Amount", "PaidAmount"))
    if not local_text(payload, "MsgId"):
        raise Refusal("J0201", "MsgId", "MsgId 为空")
    proofs = [each for each in payload if etree.QName(each).localname == "PaymentProof"]
    for proof in proofs:
        content = base64.b64decode(local_text(proof, "Content"))
        if len(content) > MAX_ATTACHMENT:
            raise Refusal("J0413", "PaymentProof", "附件超过 5 MB")
        if hashlib.sha256(content).hexdigest().upper() != local_text(proof, "Sha256").upper():
            raise Refusal("J0205", "PaymentProof/Sha256", "附件摘要不符")
        if local_text(proof, "MediaType") not in MEDIA:
            raise Refusal("J0201", "PaymentProof/MediaType", "只收 pdf、jpg、txt")
    if outcome == "PERFORMED":
        if not paid:
            raise Refusal("J0201", "PaidAmount", "履行完毕须附已付金额")
        if not proofs:  # the contract asks for it, its own example goes without: taken, and noted
            notes.append(
                finding("PROOF_MISSING", "/ReturnResult/PaymentProof", "none", "a proof with PERFORMED")
            )
    if amount and paid and Decimal(paid) < Decimal(amount) and outcome != "DEFAULTED":
        raise Refusal("J0201", "PaidAmount", "已付金额少于应付金额")
    return notes
