"""gateway.do: the door (form, certificate serials, signature), then transfer, query and bill address."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qsl

from sandbox.alipay import profile, signing
from sandbox.alipay.authority import Authority, serial_of
from sandbox.alipay.bill import Bills
from sandbox.alipay.nodes import Node, queried, refused, transfer_faults, transferred
from sandbox.alipay.pool import Pool, amount_fen, content_digest
from sandbox.alipay.script import Line, Script
from sandbox.alipay.settings import Settings
from sandbox.clock import BEIJING, VirtualClock

_REQUIRED = (
    "app_id", "method", "charset", "sign_type", "timestamp", "version", "app_cert_sn", "alipay_root_cert_sn",
    "biz_content", "sign",
)  # fmt: skip
_KNOWN = {*_REQUIRED, "format"}


class AtTheDoor(Exception):
    """Refused before any business: answered unsigned."""

    def __init__(self, code: str, sub_code: str, sub_msg: str) -> None:
        super().__init__(sub_code)
        self.reply = signing.refusal(
            code,
            {"40001": "Missing Required Arguments", "40003": "Insufficient Conditions"}.get(
                code, "Invalid Arguments"
            ),
            sub_code,
            sub_msg,
        )
        self.sub_code = sub_code


@dataclass(frozen=True)
class Call:
    """A call that got through the door. `operation`: transfer, query or bill."""

    operation: str
    method: str
    charset: str
    biz: dict[str, Any]


@dataclass
class Replied:
    """The reply's bytes, the word for the books, and the order whose change is to be told by notify."""

    body: bytes
    verdict: str
    changed: str = ""
    findings: list[dict[str, Any]] = field(default_factory=list)


class Gateway:
    def __init__(
        self, clock: VirtualClock, authority: Authority, pool: Pool, script: Script, bills: Bills,
        settings: Callable[[], Settings],
    ) -> None:  # fmt: skip
        self._clock, self._authority, self._pool = clock, authority, pool
        self._script, self._bills, self._settings = script, bills, settings

    def read(self, body: bytes) -> Call:
        """Check a form by the contract. Raises AtTheDoor."""
        fields = dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, encoding="latin-1"))
        charset = fields.get("charset", "utf-8").lower()
        if charset not in ("utf-8", "gbk"):
            raise AtTheDoor("40002", "isv.invalid-charset", "字符集错误")
        try:
            fields = {key: value.encode("latin-1").decode(charset) for key, value in fields.items()}
        except UnicodeError as trouble:
            raise AtTheDoor("40002", "isv.invalid-encoding", "编码错误") from trouble
        missing = [name for name in _REQUIRED if not fields.get(name)]
        if missing:
            raise AtTheDoor("40001", f"isv.missing-{missing[0].replace('_', '-')}", f"缺少 {missing[0]}")
        if fields.keys() - _KNOWN:
            raise AtTheDoor("40002", "isv.invalid-parameter", f"多余的参数 {min(fields.keys() - _KNOWN)}")
        self._check_sender(fields, charset)
        operation = next((name for name, method in profile.METHODS.items() if method == fields["method"]), "")
        if not operation:
            raise AtTheDoor("40003", "isv.insufficient-isv-permissions", "没有该接口的权限")
        try:
            biz = json.loads(fields["biz_content"])
        except ValueError as trouble:
            raise AtTheDoor("40002", "isv.invalid-parameter", "biz_content 不是 JSON") from trouble
        if not isinstance(biz, dict):
            raise AtTheDoor("40002", "isv.invalid-parameter", "biz_content 不是对象")
        return Call(operation, fields["method"], charset, biz)

    def _check_sender(self, fields: dict[str, str], charset: str) -> None:
        if fields["app_id"] != profile.APP_ID:
            raise AtTheDoor("40002", "isv.invalid-app-id", "无效的应用")
        if fields["sign_type"] != "RSA2":
            raise AtTheDoor("40002", "isv.invalid-signature-type", "签名类型错误")
        certificate = self._authority.app()
        if certificate is None or fields["app_cert_sn"] != serial_of(certificate):
            raise AtTheDoor("40002", "isv.invalid-app-cert-sn", "应用公钥证书序列号错误")
        if fields["alipay_root_cert_sn"] != self._authority.root_serial:
            raise AtTheDoor("40002", "isv.invalid-alipay-root-cert-sn", "根证书序列号错误")
        content = signing.canonical(fields, without=("sign",)).encode(charset)
        if not signing.verifies(content, fields["sign"], certificate):
            raise AtTheDoor("40002", "isv.invalid-signature", "验签出错")

    def answer(self, call: Call, base_url: str, *, broken: bool = False) -> Replied:
        """Do what was asked, or what the script says instead, and sign the node. In the caller's transaction."""
        line = self._script.take(call.operation, str(call.biz.get("out_biz_no", "")))
        work = {"transfer": self._transfer, "query": self._query}.get(call.operation)
        replied = work(call, line) if work else self._bill(call, line, base_url)
        node, changed = replied
        if line is not None and line.sign == "none":
            sub_code = str(node.get("sub_code") or "isv.invalid-signature")
            body = signing.refusal("40002", "Invalid Arguments", sub_code, "验签出错")
        else:
            serial, key = self._authority.gateway()
            bad = broken or (line is not None and line.sign == "bad")
            body = signing.reply(call.method, node, serial, key, call.charset, broken=bad)
        return Replied(body, str(node.get("sub_code") or node.get("status") or node["code"]), changed)

    # --- transfer -------------------------------------------------------------------------------------------

    def _transfer(self, call: Call, line: Line | None) -> tuple[Node, str]:
        biz = call.biz
        wrong = transfer_faults(biz)
        if wrong:
            return refused("INVALID_PARAMETER", biz, told=f"参数有误：{wrong}"), ""
        known = self._pool.order(biz["out_biz_no"])
        if known is not None:
            self._pool.seen_again(biz["out_biz_no"])
            if known["digest"] != content_digest(biz):
                return refused("PAYMENT_INFO_INCONSISTENCY", biz), ""
            return self._scripted(line, biz, lambda: transferred(known)), ""
        if line is not None and not line.applies:
            return self._scripted(line, biz, lambda: refused(line.answer or "SYSTEM_ERROR", biz)), ""
        if amount_fen(biz) < profile.MIN_FEN or amount_fen(biz) > self._settings().limit_fen:
            return refused("EXCEED_LIMIT_SM_AMOUNT", biz), ""
        obstacle = self._pool.obstacle(biz)
        if obstacle:
            return refused(obstacle, biz), ""
        order = self._pool.accept(biz, pay=line is None or line.then == "SUCCESS")
        changed = biz["out_biz_no"] if order["status"] == "SUCCESS" else ""
        return self._scripted(line, biz, lambda: transferred(order)), changed

    def _scripted(self, line: Line | None, biz: Node, otherwise: Callable[[], Node]) -> Node:
        """The node that the script wants instead, for this order's number."""
        if line is None:
            return otherwise()
        if line.node:
            number = line.node.get("out_biz_no")
            return {
                **line.node,
                **({"out_biz_no": biz.get("out_biz_no", number)} if number and line.bind else {}),
            }
        if line.answer in ("", "SUCCESS", "DEALING", "FAIL", "REFUND"):
            node = otherwise()
            return {**node, "status": line.answer} if line.answer and node["code"] == "10000" else node
        return refused(line.answer, biz)

    # --- query ----------------------------------------------------------------------------------------------

    def _query(self, call: Call, line: Line | None) -> tuple[Node, str]:
        biz = call.biz
        if not biz.get("order_id") and (
            not biz.get("out_biz_no")
            or biz.get("product_code") != profile.PRODUCT
            or biz.get("biz_scene") != profile.SCENE
        ):
            return refused(
                "INVALID_PARAMETER", biz, told="order_id，或 out_biz_no 加 product_code、biz_scene"
            ), ""
        order = (
            self._pool.by_order_id(str(biz["order_id"]))
            if biz.get("order_id")
            else self._pool.order(str(biz["out_biz_no"]))
        )
        lag = timedelta(seconds=self._settings().query_lag_s)
        if (
            order is not None
            and lag
            and datetime.fromisoformat(order["created_at"]) > self._clock.now() - lag
        ):
            order = None  # habit 2
        found = refused("ORDER_NOT_EXIST", biz) if order is None else queried(order)
        return self._scripted(line, biz, lambda: found), ""

    # --- bill -----------------------------------------------------------------------------------------------

    def _bill(self, call: Call, line: Line | None, base_url: str) -> tuple[Node, str]:
        try:
            day = date.fromisoformat(str(call.biz.get("bill_date", "")))
        except ValueError:
            return refused("INVALID_PARAMETER", {}, told="bill_date 格式 yyyy-MM-dd"), ""
        opens = datetime.combine(day + timedelta(days=1), time(profile.BILL_FROM_HOUR), BEIJING)
        if self._clock.now() < opens and not self._bills.is_open(day):
            return refused("isp.bill_not_exist", {}), ""
        url = f"{base_url}/alipay/bill/{self._bills.link(day)}"
        node = {"code": "10000", "msg": "Success", "bill_download_url": url}
        return self._scripted(line, {}, lambda: node), ""
