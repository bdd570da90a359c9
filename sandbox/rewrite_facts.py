"""What a story is made of: its sums, people, ids and days, found by form in the text of its files."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date

OFFICES = (
    "公司",
    "医院",
    "银行",
    "局",
    "专户",
    "委员会",
    "法院",
    "检察院",
    "中心",
    "合作社",
    "合伙",
    "政府",
    "所",
)
COMPANY_MARKS = ("公司", "医院", "合伙", "合作社")
_NAMES = re.compile(
    r"<(?:\w+:)?(?:名称|法定代表人|Nm|Name|申请执行人|被执行人|C_YGMC|C_BGMC|C_TJYXM|C_DSRMC|mediator)>([^<]+)<"
    r'|\\?"(?:name|payer|payee|XFRXM|BXFR|xm|XM)\\?"\s*:\s*\\?"([^"\\]+)'
)
_IDS = re.compile(
    r"<(?:\w+:)?(?:批次号|batch|编号|requestId|noticeId|MsgId|Id|PmtInfId|InstrId|EndToEndId|AcctSvcrRef|RtrId|RefMsgId"
    r"|Orgnl\w*Id)>([^<]+)<"
    r'|\\?"(?:requestId|notify_id|out_biz_no|MsgId)\\?"\s*:\s*\\?"([^"\\]+)'
)
_MESSAGE_ID = re.compile(r"[A-Z][A-Z0-9]{3,34}")
FEN_KEY = r'(?P<fenkey>\\?"\w*(?:_fen|Fen)\\?"\s*:\s*)(?P<fen>\d+)'
YUAN = r"(?<![\d.])\d{1,13}\.\d{2}(?![\d.])"
_KEPT_IDS = {"NOTPROVIDED", "OQSFJ01"}


def amounts(text: str) -> set[int]:
    """All sums of a story in fen: yuan texts, fen keys, flags and the fen columns of the table of disputes."""
    found = {int(match.replace(".", "")) for match in re.findall(YUAN, text)}
    found |= {int(match[1]) for match in re.findall(FEN_KEY, text)}
    found |= {int(each) for each in re.findall(r'"[A-Z_]+:(\d{4,})"', text)}
    return found - {0}


def resident_ids(text: str) -> set[str]:
    return set(re.findall(r"(?<!\d)330399(?:19|20)\d{9}[\dXx](?!\d)", text))


def is_company(name: str) -> bool:
    return any(mark in name for mark in COMPANY_MARKS)


def names(text: str) -> list[str]:
    """People and companies that are parties or people in a story; offices and banks are left out."""
    found: set[str] = set()
    for match in _NAMES.finditer(text):
        for part in re.split(r"[、,，;/|]", match[1] or match[2] or ""):
            name = re.sub(r"等\d+人$", "", part).strip(" 　")
            company = name.startswith("温州") and is_company(name)
            person = 2 <= len(name) <= 12 and not any(mark in name for mark in OFFICES)
            if company or (person and re.fullmatch(r"[\u3400-\u9fff\U00020000-\U0003ffff·]+", name)):
                found.add(name)
    return sorted(found)


def message_ids(text: str) -> set[str]:
    found = {(match[1] or match[2]).strip() for match in _IDS.finditer(text)}
    return {
        each
        for each in found
        if _MESSAGE_ID.fullmatch(each) and each not in _KEPT_IDS and not re.search(r"3399\d{14}|XF330399|^9", each)
        and not re.fullmatch(r"[1-9A-Y]\d330399\w{10}", each)
    }  # fmt: skip


def story_days(texts: list[str]) -> tuple[set[date], list[tuple[date, int]]]:
    """Days of the steps, and (day, number of instalments) of agreements signed in them."""
    days: set[date] = set()
    signed: list[tuple[date, int]] = []
    for text in texts:
        if '"steps"' not in text:
            continue
        for step in json.loads(text)["steps"]:
            day = date.fromisoformat(step["at"][:10])
            days.add(day)
            parts = re.findall(YUAN, step.get("action") or "")
            if len(parts) > 1:
                signed.append((day, len(parts)))
    return days, signed


def hints(table: str) -> str:
    """The table's people, order numbers and sums in the forms that are searched for."""
    lines = []
    for row in csv.DictReader(io.StringIO(table)):
        people = f"{row['applicants']}|{row['respondents']}".split("|")
        lines += [f"<Name>{each.partition(':')[0]}<" for each in [*people, row["mediator"]] if each]
        lines += [f"<Id>{row[key]}<" for key in ("bank_e2e_prefix", "alipay_out_biz_no") if row.get(key)]
        lines += [f'"{key}": {row[key]}' for key in ("claim_fen", "agreed_fen") if row.get(key)]
    return "\n".join(lines)
