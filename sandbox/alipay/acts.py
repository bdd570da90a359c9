"""What the wallet does by order: POST /control/alipay/{act}, or /control/offer/alipay with the act's name in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.alipay import settings
from sandbox.control import BadOrder
from sandbox.told import Told

if TYPE_CHECKING:
    from sandbox.alipay.service import Alipay

Act = Callable[["Alipay", Told], Any]


def carry_out(wallet: Alipay, name: str, order: dict[str, Any]) -> Any:
    """Do one act in one commit. Raises BadOrder."""
    if name not in ACTS:
        raise BadOrder(f"no act {name!r}; here: {', '.join(ACTS)}")
    told = Told(order)
    with wallet.books.transaction():
        answer = ACTS[name](wallet, told)
        told.done()
    wallet.wake()
    return answer


def _script(wallet: Alipay, told: Told) -> Any:
    lines = told.maybe("next")
    if not isinstance(lines, list):
        raise BadOrder("next is a list of lines")
    for line in lines:
        wallet.script.add(line)
    return {"script": wallet.script.waiting()}


def _clear(wallet: Alipay, _: Told) -> Any:
    wallet.script.clear()
    return {"script": []}


def _top_up(wallet: Alipay, told: Told) -> Any:
    fen = told.number("fen")
    if fen <= 0:
        raise BadOrder("fen is above zero")
    number = wallet.books.next_number(wallet.partner, "top_up")
    reference = told.text("reference", f"TOPUP{number:08d}")
    wallet.pool.top_up(fen, reference, wallet.clock.now())
    return {"reference": reference, "balance_fen": wallet.pool.balance()}


def _finish(wallet: Alipay, told: Told) -> Any:
    out_biz_no, status = told.text("out_biz_no"), told.text("status", "SUCCESS")
    code, reason = told.text("error_code", ""), told.text("fail_reason", "")
    pay_date, notify = told.text("pay_date", ""), told.flag("notify", True)
    if status == "SUCCESS":
        wallet.pool.pay(out_biz_no, pay_date)
    elif status == "FAIL":
        wallet.pool.fail(out_biz_no, code or "PAYEE_ACCOUNT_STATUS_ERROR", reason or "收款账号状态异常")
    elif status == "REFUND":
        wallet.pool.refund(out_biz_no, code or "PAYEE_ACC_OCUPIED", reason or "银行退票")
    else:
        raise BadOrder("status is SUCCESS, FAIL or REFUND")
    if notify:
        wallet.tell(out_biz_no)
    return wallet.pool.need(out_biz_no)


def _payee(wallet: Alipay, told: Told) -> Any:
    row = (told.text("identity"), told.text("name", ""), told.text("status", "ok"))
    if row[2] not in ("ok", "absent"):
        raise BadOrder("status is ok or absent")
    with wallet.books.transaction() as db:
        db.execute(
            "INSERT INTO alipay_payee VALUES (?,?,?) ON CONFLICT (identity) DO UPDATE SET name=excluded.name,"
            " status=excluded.status",
            row,
        )
    return dict(zip(("identity", "name", "status"), row, strict=True))


def _open_bill(wallet: Alipay, told: Told) -> Any:
    day = date.fromisoformat(told.text("date", wallet.clock.beijing().date().isoformat()))
    wallet.bills.open_early(day)
    return {"date": day.isoformat(), "lines": len(wallet.pool.lines(day.isoformat()))}


def _settings(wallet: Alipay, told: Told) -> Any:
    named = {name: value for name in vars(settings.Settings()) if (value := told.maybe(name)) is not None}
    return {"settings": vars(settings.change(wallet.books, named))}


ACTS: dict[str, Act] = {
    "script": _script,
    "clear_script": _clear,
    "top_up": _top_up,
    "finish": _finish,
    "payee": _payee,
    "open_bill": _open_bill,
    "resend": lambda wallet, told: {"due": wallet.notifier.resend(told.text("notify_id", ""))},
    "settings": _settings,
    "renew_certificate": lambda wallet, _: {"cert_sn": wallet.authority.renew()},
}
