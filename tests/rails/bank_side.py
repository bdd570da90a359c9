"""The bank's side for tests: documents written by hand, in envelopes signed by a key that the test trusts."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from escrow.rails import Advice, Incoming, RailContext
from tests.rails.bench import BANK, BenchKeys, context, our_key, self_signed

ACCOUNT, PARENT = "9900339900000120002", "9900339900000100000"
THEIRS = self_signed("OQNCB-2026-02", our_key())


def trusting(**more: Any) -> RailContext:
    """A context that trusts the test's own bank certificate."""
    from dataclasses import replace

    return replace(context(BANK, **more), keys=BenchKeys(bank_direct=[THEIRS]))


def envelope(payload: bytes, message_type: str, /, **changes: Any) -> dict[str, Any]:
    """A signed envelope; `changes` are made after signing."""
    digest = hashlib.sha256(payload).hexdigest().upper()
    told: dict[str, Any] = {
        "requestId": "OQB00000009001",
        "msgType": message_type,
        "bizDate": "20260410",
        "sentAt": "20260410090000123",
        "institution": "OQNCB",
        "seq": 9001,
        "sha256": digest,
        "payload": base64.b64encode(payload).decode(),
    }
    signed(told)
    told.update(changes)
    return told


def signed(told: dict[str, Any]) -> dict[str, Any]:
    """Sign an envelope as it stands now."""
    text = "|".join(told[key] for key in ("requestId", "msgType", "sentAt", "sha256")).encode()
    value = our_key().sign(text, padding.PKCS1v15(), hashes.SHA256())
    told["signature"] = {
        "alg": "RSA2048-SHA256",
        "keyId": "OQNCB-2026-02",
        "value": base64.b64encode(value).decode(),
    }
    return told


def receive(told: dict[str, Any], **more: Any) -> Advice:
    return BANK.verify(Incoming(json.dumps(told, ensure_ascii=False).encode()), trusting(**more))


def account_xml(number: str = ACCOUNT, kind: str = "VSA") -> str:
    return f"<Acct><Id><Othr><Id>{number}</Id><SchmeNm><Prtry>{kind}</Prtry></SchmeNm></Othr></Id><Ccy>CNY</Ccy></Acct>"


def balance_xml(code: str, yuan: str, day: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='CNY'>{yuan}</Amt>"
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def entry_xml(
    yuan: str,
    side: str,
    ref: str,
    day: str,
    *,
    e2e: str = "NOTPROVIDED",
    told: str = "",
    inner: str = "",
    status: str = "BOOK",
) -> str:
    details = inner or (
        f"<TxDtls><Refs><EndToEndId>{e2e}</EndToEndId></Refs><Amt Ccy='CNY'>{yuan}</Amt><CdtDbtInd>{side}</CdtDbtInd>"
        + (f"<RmtInf><Ustrd>{told}</Ustrd></RmtInf>" if told else "")
        + "</TxDtls>"
    )
    return (
        f"<Ntry><Amt Ccy='CNY'>{yuan}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>"
        f"<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{ref}</AcctSvcrRef>"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def statement_xml(
    entries: str,
    opening: str,
    closing: str,
    *,
    day: str = "2026-04-10",
    number: int = 1,
    account: str = "",
    extra: str = "",
) -> bytes:
    account = account or account_xml()
    body = (
        "<BkToCstmrStmt><GrpHdr><MsgId>T1</MsgId><CreDtTm>" + day + "T23:30:00</CreDtTm></GrpHdr>"
        f"<Stmt><Id>T{number}</Id>{'' if '<StmtPgntn>' not in extra else extra.split('|')[0]}"
        f"<ElctrncSeqNb>{number}</ElctrncSeqNb><CreDtTm>{day}T23:30:00</CreDtTm>{account}"
        f"{balance_xml('OPBD', opening, day)}{balance_xml('CLBD', closing, day)}"
        f"{extra if '<TxsSummry>' in extra else ''}{entries}</Stmt></BkToCstmrStmt>"
    )
    return document(body, "camt.053.001.08")


def document(body: str, message_type: str, encoding: str = "UTF-8") -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n'
    text = f'{head}<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{message_type}">{body}</Document>\n'
    return text.encode(encoding)
