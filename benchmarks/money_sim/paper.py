"""Messages that the bank writes wrongly: a statement that lacks or doubles a line, a word that comes too early."""

from __future__ import annotations

import base64
import copy
import hashlib
import json

from lxml import etree

from benchmarks.money_sim.outside import Letter
from sandbox.bank import envelope, iso_payments, profile
from sandbox.bank.iso_accounts import xml_bytes
from sandbox.bank.service import Bank


def spoiled(bank: Bank, letter: Letter, *, double: bool) -> Letter | None:
    """The day's statement with its last entry missing or twice, signed well; None when it has no entry."""
    told = json.loads(letter.body)
    root = etree.fromstring(base64.b64decode(told["payload"]))
    entries = [node for node in root.iter() if etree.QName(node).localname == "Ntry"]
    if not entries:
        return None
    last = entries[-1]
    parent = last.getparent()
    assert parent is not None
    if double:
        last.addnext(copy.deepcopy(last))
    else:
        parent.remove(last)
    payload = etree.tostring(root, xml_declaration=True, encoding="UTF-8").replace(b">OQS", b">OQX")
    digest = hashlib.sha256(payload).hexdigest().upper()
    key_id, key = bank.keys.own()
    request_id = "X" + told["requestId"][1:]
    told |= {
        "requestId": request_id, "payload": base64.b64encode(payload).decode(), "sha256": digest,
        "signature": {
            "alg": envelope.ALGORITHM, "keyId": key_id,
            "value": envelope.signature_of(request_id, told["msgType"], told["sentAt"], digest, key),
        },
    }  # fmt: skip
    return Letter("bank_direct", json.dumps(told, ensure_ascii=False).encode(), "spoiled statement")


def early_word(bank: Bank, e2e: str) -> None:
    """pain.002 ACSC of a payment that the bank has not booked."""
    payment = bank.orders.payment(e2e)
    msg_id = f"OQB{2_000_000 + bank.books.next_number(profile.PARTNER, 'pain.002')}"
    row = payment | {"status": "ACSC", "reason": "", "reason_text": "", "bank_ref": "SVC0000000"}
    report = iso_payments.status_report(msg_id, bank.clock.beijing(), payment["msg_id"], 1, [row], None)
    bank.post.put(profile.PAIN_002, xml_bytes(report))
