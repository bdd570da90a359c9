"""The gateway's calls: refreshTokenByKey, refreshTokenBySec and data sharing, with md5 signatures and a quota."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sandbox.desk import Answer, Desk, Finding, Inbound, finding
from sandbox.faults import Fault
from sandbox.gateway.register import PARTNER, Register, _plain
from sandbox.openapi_rules import Rules, read_json

RULES = Rules(Path(__file__).parent / "contract" / "openapi.yaml")
SHARING = "/gateway/api/{catalog}/dataSharing/{apiId}.htm"
REQUEST_LIFE, REFRESH_LIFE = timedelta(minutes=15), timedelta(hours=48)
OLD_SECRET_S, SKEW_S = 60, 300
QUOTA_A_DAY, PER_SECOND = 50_000, 20
JSON_TYPE = "application/json; charset=utf-8"
_SHARING = re.compile(r"(?:^|/)api/([^/]+)/dataSharing/([^/]+)\.htm$")
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
TEXTS = {
    "00": "成功", "01": "参数错误", "05": "签名错误", "06": "时间戳超出范围", "08": "无此接口权限", "12": "当日配额已用完",
    "14": "刷新秘钥已过期", "99": "系统异常",
}  # fmt: skip


class Refusal(Exception):
    def __init__(self, code: str, note: Finding) -> None:
        super().__init__(TEXTS[code])
        self.code, self.note = code, note


class GatewayService:
    def __init__(self, desk: Desk, register: Register) -> None:
        self._desk, self._register = desk, register

    def operation(self, call: Inbound) -> str:
        for name in ("refreshTokenByKey", "refreshTokenBySec"):
            if call.path.endswith(f"{name}.htm"):
                return name
        return "dataSharing" if _SHARING.search(call.path) else "unknown"

    def handle(self, operation: str, call: Inbound, fault: Fault | None) -> Answer:
        if operation == "unknown" or (operation == "dataSharing" and call.method != "POST"):
            return Answer(404, HTML, "text/html", verdict="REFUSED 404")
        told = {**call.query, **dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))}
        try:
            self._count(told)
            if operation == "dataSharing":
                return self._share(call, told, fault)
            return self._token(operation, told, fault)
        except Refusal as refusal:
            shown: dict[str, Any] = {"code": refusal.code, "msg": str(refusal)}
            empty = {"data": None, "dataCount": 0, "requestId": self._request_id()}
            shown.update(empty if operation == "dataSharing" else {"datas": None})
            answer = self._json(shown)
            answer.verdict, answer.findings = f"REFUSED {refusal.code}", [refusal.note]
            return answer

    def upgrading(self) -> Answer:
        """Habit 5: HTML with HTTP 200."""
        return Answer(200, HTML, "text/html")

    def _json(self, told: dict[str, Any]) -> Answer:
        return Answer(200, json.dumps(told, ensure_ascii=False).encode(), JSON_TYPE)

    def _request_id(self) -> str:
        return f"RQ{self._desk.books.next_number(PARTNER, 'request')}"

    def _count(self, told: dict[str, str]) -> None:
        """The day's quota and the rate; a wrong sign counts as well (habit 9)."""
        now, rules = self._desk.clock.now(), self._desk.rules(PARTNER)
        used = self._desk.books.next_number(PARTNER, f"quota {self._desk.clock.beijing():%Y-%m-%d}")
        if used > int(rules.get("quota") or QUOTA_A_DAY):
            raise Refusal("12", finding("QUOTA", "/", str(used), str(rules.get("quota") or QUOTA_A_DAY)))
        if rules.get("rate"):
            calls = [
                at for at in self._desk.books.get(PARTNER, "rate", "calls") or [] if at > now.timestamp() - 1
            ]
            self._desk.books.put(PARTNER, "rate", "calls", [*calls, now.timestamp()])
            if len(calls) >= PER_SECOND:
                raise Refusal("99", finding("RATE", "/", str(len(calls) + 1), f"{PER_SECOND} a second"))

    def _check_sign(self, told: dict[str, str], secrets: list[str]) -> None:
        mine = self._desk.credentials[PARTNER]
        if told.get("appKey") != mine["app_key"] or not re.fullmatch(r"\d{13}", told.get("requestTime", "")):
            raise Refusal(
                "01",
                finding("PARAMETER", "/appKey", told.get("appKey", ""), "appKey and 13-digit requestTime"),
            )
        skew = abs(self._desk.clock.now().timestamp() - int(told["requestTime"]) / 1000)
        if skew > SKEW_S:
            raise Refusal("06", finding("TIME", "/requestTime", told["requestTime"], "within 5 minutes"))
        right = [sign(mine["app_key"], secret, told["requestTime"]) for secret in secrets]
        if told.get("sign") not in right:
            raise Refusal(
                "05",
                finding("SIGNATURE_INVALID", "/sign", told.get("sign", ""), "md5(appKey+secret+requestTime)"),
            )

    def _token(self, operation: str, told: dict[str, str], fault: Fault | None) -> Answer:
        now = self._desk.clock.now()
        kept = self._desk.books.get(PARTNER, "secrets", "live") or {}
        if operation == "refreshTokenBySec":
            if kept and now.timestamp() >= kept["refresh_until"]:
                raise Refusal("14", finding("REFRESH_EXPIRED", "/", "older than 48 h", "refreshTokenByKey"))
            self._check_sign(told, [kept["refresh"]] if kept else [])
        else:
            self._check_sign(told, [self._desk.credentials[PARTNER]["app_secret"]])
        by_key = operation == "refreshTokenByKey"
        fresh = {
            "request": f"rq{self._desk.token(PARTNER, 'request')}",
            "request_until": (now + REQUEST_LIFE).timestamp(),
            "refresh": f"rf{self._desk.token(PARTNER, 'refresh')}" if by_key else kept["refresh"],
            "refresh_until": (now + REFRESH_LIFE).timestamp() if by_key else kept["refresh_until"],
            # a new request secret kills the old one after 60 s
            "old": kept.get("request", ""),
            "old_until": min(now.timestamp() + OLD_SECRET_S, kept.get("request_until", 0)),
        }
        self._desk.books.put(PARTNER, "secrets", "live", fresh)
        until = int(fresh["request_until"] * 1000)
        datas: dict[str, Any] = {
            "requestSecret": fresh["request"],
            "requestSecretEndTime": until if by_key else str(until),  # habit 3
        }
        if by_key:  # habit 4: the other call leaves the refresh secret out
            datas["refreshSecret"] = fresh["refresh"]
            datas["refreshSecretEndTime"] = int(fresh["refresh_until"] * 1000)
        if fault and fault.kind == "wrong_signature":
            datas["requestSecret"] = "rq" + "0" * 32
        return self._json({"code": "00", "msg": "成功", "datas": datas})

    def _share(self, call: Inbound, told: dict[str, str], fault: Fault | None) -> Answer:
        now, kept = self._desk.clock.now().timestamp(), self._desk.books.get(PARTNER, "secrets", "live") or {}
        live = [kept["request"]] if kept and now < kept["request_until"] else []
        live += [kept["old"]] if kept and kept["old"] and now < kept["old_until"] else []
        self._check_sign(told, live)
        numbers = {key: int(told[key]) for key in ("pageNum", "pageSize") if told.get(key, "").isdigit()}
        wrong = RULES.form_violations(SHARING, {**told, **numbers})
        try:
            additional = read_json(told.get("additional", ""))
        except ValueError:
            additional = None
        if not isinstance(additional, dict) or not additional:
            wrong.append(
                finding(
                    "PARAMETER",
                    "/additional",
                    told.get("additional", "")[:80],
                    "JSON: matter, operator, purpose",
                )
            )
        if wrong:
            raise Refusal("01", wrong[0])
        match = _SHARING.search(call.path)
        assert match is not None
        if match.group(2) in self._desk.rules(PARTNER).get("denied", []):
            raise Refusal("08", finding("NO_RIGHT", "/apiId", match.group(2), "an interface granted"))
        rows = self._register.find(told.get("xm", ""), told.get("gmsfhm") or told.get("zjhm") or "")
        page, size = numbers.get("pageNum", 1), numbers.get("pageSize", 100)
        shown = rows[(page - 1) * size : page * size]
        if fault and fault.kind == "duplicate":
            shown = shown[:1] + shown
        return self._json(self._styled(shown, page, size))

    def _styled(self, rows: list[dict[str, Any]], page: int, size: int) -> dict[str, Any]:
        """Habits 1 to 3, 6 and 10: `data` as text, list or object; keys in either case; numbers or text."""
        if not rows:
            return {
                "code": "00", "msg": "无数据", "data": None, "dataCount": 0, "pageNum": page, "pageSize": size,
                "requestId": self._request_id(),
            }  # fmt: skip
        number = self._desk.books.next_number(PARTNER, "style")
        style = self._desk.rules(PARTNER).get("style") or ("string", "array", "object")[number % 3]
        plain = [{key: _plain(value) if key == "xm" else value for key, value in row.items()} for row in rows]
        if style == "string":
            data: Any = json.dumps(
                [{key.upper(): value for key, value in row.items()} for row in plain], ensure_ascii=False
            )
        else:
            data = plain[0] if style == "object" and len(plain) == 1 else plain
        count: Any = len(rows) if style == "string" else str(len(rows))
        return {
            "code": "00", "msg": (None, "", "成功")[number % 3], "data": data, "dataCount": count, "requestId": self._request_id(),
        }  # fmt: skip


def sign(app_key: str, secret: str, request_time: str) -> str:
    """md5(appKey + secret + milliseconds), lower-case hex."""
    return hashlib.md5(f"{app_key}{secret}{request_time}".encode()).hexdigest()
