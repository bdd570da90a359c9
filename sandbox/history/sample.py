"""A few disputes in the partners' own forms: petition pushes, an arbitration page, the court's list."""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from sandbox.history.stream import Told, generate
from schemas.claims import PartyClaim
from schemas.money import Fen


def write_sample(disputes: int, seed: int, count: int, folder: Path) -> int:
    """Write what petition office, arbitration commission and court would send about the first `count` disputes.

    petition_NNNN.xml (AddXfj), arbitration_page.json, court_list.json. The procuratorate's envelopes need its
    signature: let the stand-in send them. Returns the number of files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = list(takewhile(lambda one: one.dispute.number < count, generate(disputes, seed)))
    petitions = [one for one in told if one.agency == "petition"]
    for place, one in enumerate(petitions, 1):
        (folder / f"petition_{place:04d}.xml").write_text(_add_xfj(one), "utf-8")
    page = {
        "items": [_case(one) for one in told if one.agency == "arbitration"][:100],
        "nextCursor": None,
        "snapshotAt": "2026-04-01T01:00:00+08:00",
    }
    (folder / "arbitration_page.json").write_text(json.dumps(page, ensure_ascii=False, indent=1), "utf-8")
    rows = [
        one for one in told if one.agency == "court" and _claim(one, "case_number", "").find("民诉前调") > 0
    ]
    listed = [_row(place, one) for place, one in enumerate(rows[:200], 1)]
    content = {"total": len(listed), "totalPages": 1, "pageSize": 200, "list": listed}
    text = json.dumps({"code": 200, "msg": "success", "content": content}, ensure_ascii=False, indent=1)
    (folder / "court_list.json").write_text(text, "utf-8")
    return len(petitions) + 2


def _claim(told: Told, name: str, default: Any = None) -> Any:
    return next((claim.value for claim in told.record.claims if claim.field == name), default)


def _side(told: Told, role: str) -> list[PartyClaim]:
    return [party for party in told.record.parties or () if party.role == role]


def _yuan(told: Told) -> str | None:
    fen = _claim(told, "claimed_fen")
    return None if fen is None else Fen(fen).yuan_text()


def _add_xfj(told: Told) -> str:
    first = _side(told, "applicant")[0]
    opened = _claim(told, "opened_on")
    letter = {
        "XFJBH": told.record.native_id, "YXFJBH": _claim(told, "repeats"), "XFRXM": first.name,
        "SFZH": first.id_number or first.masked_id, "XB": first.gender or "9", "LXDH": first.phone, "ZZ": first.address,
        "XFRQ": opened, "XFXS": "02", "RS": _claim(told, "people_count", 1),
        "JTF": "1" if _claim(told, "group_flag") else "0", "NRFL": "0101", "WTSD": _claim(told, "place_code"),
        "NR": f"信访人反映：{_claim(told, 'narrative')}，请求处理。",
        "BXFR": "、".join(party.name for party in _side(told, "respondent")),
        "SJJE": _yuan(told) or _claim(told, "claimed_text"), "CFXF": "1" if _claim(told, "repeat_flag") else "0",
        "ZRDW": _claim(told, "holder"), "ZBSJ": f"{opened} 10:00:00", "BLQX": _claim(told, "limit_date"),
        "BLZT": {"CLOSED": "05", "REFERRED": "02"}.get(_claim(told, "state"), "01"), "CZLX": "A", "BBH": 1, "FJ": [],
    }  # fmt: skip
    text = escape(json.dumps(letter, ensure_ascii=False))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soap:Body><AddXfj xmlns="http://tempuri.org/"><Jsonstring>{text}</Jsonstring></AddXfj></soap:Body>'
        "</soap:Envelope>\n"
    )


def _case(told: Told) -> dict[str, Any]:
    code = _claim(told, "cause_code")["code"]
    status = {"OPEN": "ACCEPTED"}.get(_claim(told, "state"), _claim(told, "state"))
    opened = _claim(told, "opened_on")
    return {
        "caseId": told.record.native_id, "caseNo": told.record.sub_id, "commission": _claim(told, "commission"),
        "causeCode": code, "causeName": _claim(told, "cause"), "status": status, "statusReason": None,
        "acceptedAt": f"{opened}T09:30:00+08:00", "limitDate": None, "claimAmount": _yuan(told) or "0.00",
        "parties": [_arbitration_party(party) for party in told.record.parties or ()],
        "relatedMediation": next((reference.value for reference in told.record.references), None), "version": 1,
        "updatedAt": f"{opened}T17:06:00+08:00", "deleted": False,
    }  # fmt: skip


def _arbitration_party(party: PartyClaim) -> dict[str, Any]:
    return {
        "role": party.role.upper(), "kind": "PERSON" if party.kind == "person" else "ORG", "name": party.name,
        "idNo": party.id_number or party.masked_id or party.credit_code, "idMasked": party.masked_id is not None,
        "phone": party.phone, "address": party.address, "agent": None,
    }  # fmt: skip


def _row(place: int, told: Told) -> dict[str, Any]:
    fen = _claim(told, "claimed_fen")
    return {
        "rnum": place, "ajbs": told.record.native_id, "ah": told.record.sub_id, "ajlb": "9901", "lxrq": None,
        "laaymc": _claim(told, "cause"), "ajzt": "调解中" if _claim(told, "state") == "OPEN" else "归档", "zt": None,
        "fydm": None, "saly": "当事人起诉", "sjdwje": None if fen is None else Fen(fen).yuan_text(), "ycts": None,
        "yg": "、".join(party.name for party in _side(told, "applicant")),
        "bg": "、".join(party.name for party in _side(told, "respondent")), "tjzz": _claim(told, "organisation"),
        "sfst": None,
    }  # fmt: skip
