"""The bill of a day: a zip of two GBK CSVs, behind a link that lives 30 seconds."""

from __future__ import annotations

import io
import secrets
import threading
import time
import zipfile
from datetime import date, datetime
from typing import Any

from sandbox.alipay.pool import Pool, beijing_text
from sandbox.alipay.profile import LINK_LIVES_S, PARTNER, POOL, POOL_NAME
from sandbox.books import Books
from schemas.money import Fen

COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_COLUMNS = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,服务费（元）,"
    "分润（元）,实收净额（元）"
)
KINDS = {"payout": "转账", "refund": "退款", "top_up": "充值"}
MAX_LINKS = 1000


class Bills:
    def __init__(self, books: Books, pool: Pool) -> None:
        self._books, self._pool = books, pool
        self._links: dict[str, tuple[float, date]] = {}
        self._lock = threading.Lock()

    def open_early(self, day: date) -> None:
        """Offer the bill of a day before 10:00 of the next one."""
        self._books.put(PARTNER, "bill", day.isoformat(), True)

    def is_open(self, day: date) -> bool:
        return bool(self._books.get(PARTNER, "bill", day.isoformat()))

    def link(self, day: date) -> str:
        """A token under which the bill can be fetched for 30 s of real time."""
        token = secrets.token_hex(16)
        now = time.monotonic()
        with self._lock:
            self._links = {key: kept for key, kept in self._links.items() if kept[0] > now}
            if len(self._links) < MAX_LINKS:
                self._links[token] = (now + LINK_LIVES_S, day)
        return token

    def fetch(self, token: str) -> bytes | None:
        """The zip behind a link, or None when the link is dead."""
        with self._lock:
            kept = self._links.get(token)
        return None if kept is None or kept[0] < time.monotonic() else self.zip(kept[1])

    def zip(self, day: date) -> bytes:
        lines = self._pool.lines(day.isoformat())
        stem = f"{POOL}0156_{day:%Y%m%d}_业务明细"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in ((f"{stem}.csv", details(lines)), (f"{stem}(汇总).csv", summary(lines))):
                archive.writestr(_GbkName(name, (2026, 1, 1, 0, 0, 0)), text.encode("gbk", "replace"))
        return packed.getvalue()


class _GbkName(zipfile.ZipInfo):
    """An entry whose name is in GBK without a mark of it, as Windows tools in China write it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def details(lines: list[dict[str, Any]]) -> str:
    rule = "#" + "-" * 41 + "业务明细列表"
    rows = [_row(line) for line in lines]
    return "\r\n".join(
        [
            "#支付宝业务明细查询",
            f"#账号：[{POOL}]",
            rule + "-" * 40,
            COLUMNS,
            *rows,
            rule + "结束" + "-" * 36,
            f"#交易合计：{len(rows)}笔",
            "",
        ]
    )


def _row(line: dict[str, Any]) -> str:
    amount = Fen(line["fen"]).yuan_text()
    at = beijing_text(datetime.fromisoformat(line["at"]))
    began = at if line["kind"] != "payout" else beijing_text(datetime.fromisoformat(line["created_at"]))
    title = _plain(line["title"] or "") if line["kind"] != "top_up" else "余额充值"
    returned = f"{line['trade_no']}R" if line["kind"] == "refund" else ""
    cells = [
        f"{line['trade_no']}\t", f"{line['reference']}\t", KINDS[line["kind"]], title, min(began, at), at, "", "", "", "",
        masked(line["name"], line["identity"]) if line["name"] is not None else masked(POOL_NAME, POOL),
        amount, amount, "0.00", "0.00", "0.00", "0.00", "0.00", "", "0.00", "0.00", returned, "0.00", "0.00",
        _plain(line["remark"] or ""),
    ]  # fmt: skip
    return ",".join(cells)


def summary(lines: list[dict[str, Any]]) -> str:
    total = Fen(sum(line["fen"] for line in lines)).yuan_text()
    backs = sum(1 for line in lines if line["kind"] == "refund")
    counted = f"合计\t,\t,{len(lines) - backs},{backs},{total},{total},0.00,0.00,0.00,0.00,{total}"
    return "\r\n".join(
        ["#支付宝业务汇总查询", f"#账号：[{POOL}]", SUMMARY_COLUMNS, counted, "#业务汇总列表结束", ""]
    )


def masked(name: str, identity: str) -> str:
    """First character of the name and the outside of the account (habit 9)."""
    return f"{name[:1]}*({identity[:3]}******{identity[-2:]})"


def _plain(text: str) -> str:
    return text.replace(",", "，").replace("\r", " ").replace("\n", " ")
