"""Every service of the hub with someone who may send to it: keys that the hub trusts, right messages, right seals."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from tests.acceptance import refusals
from tests.acceptance.refusals import Said
from tests.connectors import arbitration_side, court_side, jcy_side, petition_side
from tests.rails import alipay_side, bank_side

Headers = dict[str, str]
XML11 = {"Content-Type": "text/xml; charset=utf-8"}
_numbers = count(1)


@dataclass(frozen=True)
class Sender:
    """One service. ``right()``: a new right content each time; ``seal(content)``: its wire body and headers.

    ``headers``: those of an ordinary call, for bodies that go out as they are. ``said``: code and path of a
    refusal, None when the answer says "taken". ``amounts``, ``codes``: (pattern, replacement with %s) in a content
    for a sum and for a coded value. ``kind``: "soap", "json" or "form"; ``limit``: the stated body limit in bytes;
    ``money``: its sums are of real money.
    """

    name: str
    path: str
    kind: str
    right: Callable[[], bytes]
    seal: Callable[[bytes], tuple[bytes, Headers]]
    headers: Headers
    said: Callable[[int, bytes], Said | None]
    amounts: tuple[tuple[str, str], ...]
    codes: tuple[tuple[str, str], ...]
    limit: int
    inner: str = "xml"  # form of what ``right`` gives
    signed: bool = False
    money: bool = False
    other: Mapping[str, str] = field(default_factory=dict)

    def changed(self, pattern: str, to: str) -> bytes:
        """A right content in which the first match of ``pattern`` reads otherwise."""
        text, made = re.subn(pattern, lambda _: to, self.right().decode("utf-8"), count=1)
        assert made == 1, f"{self.name}: {pattern} does not occur"
        return text.encode("utf-8")


def _plain(headers: Headers) -> Callable[[bytes], tuple[bytes, Headers]]:
    return lambda content: (content, headers)


def _notice() -> bytes:
    number = next(_numbers)
    xml = court_side.text("c17").partition("?>\n")[2]
    xml = xml.replace("XZZX20260401", f"XZZX2026{number:06d}").replace("<编号>DJ01", f"<编号>DJ{number:06d}")
    return court_side.notice(f"N{number:08d}", xml).encode()


COURT = Sender(
    name="court",
    path="/partners/court_feed/CourtReceiverService",
    kind="soap",
    right=_notice,
    seal=_plain({**XML11, "SOAPAction": f'"{court_side.RECEIVER}#ReceiveNotice"'}),
    headers={**XML11, "SOAPAction": f'"{court_side.RECEIVER}#ReceiveNotice"'},
    said=refusals.court,
    amounts=((r"(?<=&lt;协助金额>)[^&]+", "%s"),),
    codes=((r"(?<=&lt;措施代码>)[^&]+", "%s"),),
    limit=31457280,
    money=True,
    other={"SOAPAction": f'"{court_side.RECEIVER}#ReceiveBatch"'},
)


def _batch() -> bytes:
    number = next(_numbers)
    part = court_side.text("c01").encode()
    name = f"AJXX_export_20260401000000_20260401235959_3399_20260402010200_{number}.zip"
    archive = court_side.zipped({name.replace(".zip", ".xml"): part})
    return court_side.push(f"B{number:08d}", archive, fileName=name).encode()


COURT_BATCH = Sender(
    name="court batches",
    path=COURT.path,
    kind="soap",
    right=_batch,
    seal=_plain({**XML11, "SOAPAction": f'"{court_side.RECEIVER}#ReceiveBatch"'}),
    headers={**XML11, "SOAPAction": f'"{court_side.RECEIVER}#ReceiveBatch"'},
    said=refusals.court,
    amounts=(),
    codes=((r"(?<=<md5>)[^<]+", "%s"),),
    limit=31457280,
    other={"SOAPAction": f'"{court_side.RECEIVER}#ReceiveNotice"'},
)
TOKEN = "made-for-this-test"


def _letter() -> bytes:
    told = petition_side.told("x01")
    told |= {"XFJBH": f"XF33039920260{next(_numbers):06d}"}
    return petition_side.envelope("AddXfj", json.dumps(told, ensure_ascii=False)).encode()


_PETITION_HEADERS = {**XML11, "SOAPAction": '"http://tempuri.org/AddXfj"', "X-XF-Token": TOKEN}
PETITION = Sender(
    name="petition",
    path="/partners/petition_asmx/XfService.asmx",
    kind="soap",
    right=_letter,
    seal=_plain(_PETITION_HEADERS),
    headers=_PETITION_HEADERS,
    said=refusals.petition,
    amounts=((r'(?<="SJJE": )"[^"]*"', '"%s"'), (r'(?<="SJJE": )"[^"]*"', "%s")),
    codes=((r'(?<="XFXS": )"[^"]*"', '"%s"'), (r'(?<="BLZT": )"[^"]*"', '"%s"')),
    limit=29360128,
    other={"SOAPAction": '"http://tempuri.org/RevokeXfj"'},
)


def _case() -> bytes:
    payload = jcy_side.payload_of("j01_submit_1.xml")
    number = next(_numbers)
    jcy_side.change(payload, "Head/MsgId", f"JM{number:08d}")
    jcy_side.change(payload, "Case/CaseNo", f"瓯栖检民支〔2026〕{number}号")
    return etree.tostring(payload, encoding="utf-8")


def _signed(content: bytes) -> tuple[bytes, Headers]:
    return jcy_side.sign(etree.fromstring(content, etree.XMLParser(huge_tree=True))), dict(
        PROCURATORATE_HEADERS
    )


PROCURATORATE_HEADERS = {
    "Content-Type": 'application/soap+xml; charset=utf-8; action="urn:ouqi-jcy:collab:v2:SubmitCase"'
}
PROCURATORATE = Sender(
    name="procuratorate",
    path="/partners/procuratorate_wss/collab",
    kind="soap",
    right=_case,
    seal=_signed,
    headers=PROCURATORATE_HEADERS,
    said=refusals.procuratorate,
    amounts=((r"(?<=<ClaimAmount>)[^<]+", "%s"),),
    codes=((r"(?<=<BizType>)[^<]+", "%s"), (r"(?<=<Role>)[^<]+", "%s")),
    limit=31457280,
    signed=True,
    other={"Content-Type": 'application/soap+xml; charset=utf-8; action="urn:ouqi-jcy:collab:v2:RevokeCase"'},
)


def _event() -> bytes:
    event = arbitration_side.event_of("a03_hook_accepted.json")
    number = next(_numbers)
    event |= {"eventId": f"2aa66507-ee1b-43a9-88c8-{number:012d}", "caseId": f"ARB-2026-{number:06d}"}
    event["case"] |= {"caseId": event["caseId"], "caseNo": f"瓯栖劳人仲案〔2026〕{number}号"}
    return json.dumps(event, ensure_ascii=False).encode()


def _sealed(content: bytes) -> tuple[bytes, Headers]:
    value = arbitration_side.seal(content, arbitration_side.SECRET, arbitration_side.T)
    return content, {"Content-Type": "application/json", "X-Arb-Signature": value}


ARBITRATION = Sender(
    name="arbitration",
    path="/partners/arbitration_rest/webhooks/arbitration",
    kind="json",
    right=_event,
    seal=_sealed,
    headers={"Content-Type": "application/json", "X-Arb-Signature": f"t={arbitration_side.T},v1={'0' * 64}"},
    said=refusals.arbitration,
    amounts=((r'(?<="claimAmount": )"[^"]*"', '"%s"'), (r'(?<="claimAmount": )"[^"]*"', "%s")),
    codes=((r'(?<="status": )"[^"]*"', '"%s"'), (r'(?<="type": )"[^"]*"', '"%s"')),
    limit=1048576,
    inner="json",
    signed=True,
)


def _credit() -> bytes:
    number = next(_numbers)
    entry = bank_side.entry_xml("100.00", "CRDT", f"REF{number:08d}", "2026-04-01")
    body = (
        f"<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>N{number}</MsgId><CreDtTm>2026-04-01T09:00:00</CreDtTm></GrpHdr>"
        f"<Ntfctn><Id>N{number}</Id><CreDtTm>2026-04-01T09:00:00</CreDtTm>{bank_side.account_xml()}{entry}</Ntfctn>"
        "</BkToCstmrDbtCdtNtfctn>"
    )
    return bank_side.document(body, "camt.054.001.08")


def _enveloped(content: bytes) -> tuple[bytes, Headers]:
    number = next(_numbers)
    told = bank_side.envelope(content, "camt.054.001.08", requestId=f"OQB{number:011d}", seq=number)
    return json.dumps(bank_side.signed(told)).encode(), {"Content-Type": "application/json"}


BANK = Sender(
    name="bank",
    path="/rails/bank_direct/inbound",
    kind="json",
    right=_credit,
    seal=_enveloped,
    headers={"Content-Type": "application/json"},
    said=refusals.bank,
    amounts=((r"(?<=<Amt Ccy='CNY'>)[^<]+", "%s"),),
    codes=((r"(?<=<Sts><Cd>)[^<]+", "%s"), (r"(?<=<CdtDbtInd>)[^<]+", "%s")),
    limit=10485760,
    signed=True,
    money=True,
)


def _transferred() -> bytes:
    return json.dumps(alipay_side.business(pay_date="2026-04-01 09:00:00")).encode()


def _notified(content: bytes) -> tuple[bytes, Headers]:
    form = alipay_side.notify_form(
        content.decode("utf-8"), notify_id=f"N{next(_numbers)}", utc_timestamp="1775005200000"
    )
    return alipay_side.body_of(form), {"Content-Type": "application/x-www-form-urlencoded"}


ALIPAY = Sender(
    name="wallet",
    path="/rails/alipay/notify",
    kind="form",
    right=_transferred,
    seal=_notified,
    headers={"Content-Type": "application/x-www-form-urlencoded"},
    said=refusals.wallet,
    amounts=((r'(?<="trans_amount": )"[^"]*"', '"%s"'), (r'(?<="trans_amount": )"[^"]*"', "%s")),
    codes=((r'(?<="status": )"[^"]*"', '"%s"'),),
    limit=131072,
    inner="json",
    signed=True,
    money=True,
)
SENDERS = (COURT, COURT_BATCH, PETITION, PROCURATORATE, ARBITRATION, BANK, ALIPAY)


def secrets() -> dict[str, str]:
    """Shared secrets to be entered in the hub's key store, by name."""
    return {
        "petition_asmx.token": TOKEN,
        "procuratorate_wss.password": jcy_side.PASSWORD,
        "arbitration_rest.webhook": arbitration_side.SECRET,
    }


def certificates() -> dict[str, bytes]:
    """Certificates that the hub is to trust, by partner or rail."""
    made = {
        "procuratorate_wss": jcy_side.key_pair()[1],
        "bank_direct": bank_side.THEIRS,
        "alipay": alipay_side.THEIRS,
    }
    return {name: each.public_bytes(Encoding.PEM) for name, each in made.items()}


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode()
