"""What the bank does by order: POST /control/bank/{act}, or /control/offer/bank with the act's name in the order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.bank import policy, profile, settings
from sandbox.bank.notices import Slip
from sandbox.bank.xsd import BadMessage
from sandbox.control import BadOrder
from sandbox.told import Told

if TYPE_CHECKING:
    from sandbox.bank.service import Bank

Act = Callable[["Bank", Told], Any]


def carry_out(bank: Bank, name: str, order: dict[str, Any]) -> Any:
    """Do one act in one commit. Raises BadOrder."""
    if name not in ACTS:
        raise BadOrder(f"no act {name!r}; here: {', '.join(ACTS)}")
    told = Told(order)
    try:
        with bank.books.transaction():
            answer = ACTS[name](bank, told)
            told.done()
    except BadMessage as trouble:
        raise BadOrder(str(trouble)) from trouble
    bank.wake()
    return answer


def _account(told: Told) -> str:
    return profile.PARENT if told.flag("parent", False) else told.text("account")


def _payer(told: Told) -> tuple[str, str]:
    payer = told.maybe("payer") or {}
    name, account = told.text("payer_name", ""), told.text("payer_account", "")
    return name or str(payer.get("name", "")), account or str(payer.get("account", ""))


def _deposit(bank: Bank, told: Told) -> Any:
    account, (name, other) = _account(told), _payer(told)
    return bank.teller.deposit(
        account, told.number("fen"), name, other, told.text("text", "转账"), masked=told.flag("masked", False),
        tell=told.flag("tell", True),
    )  # fmt: skip


def _expect(bank: Bank, told: Told) -> Any:
    account, (name, other) = _account(told), _payer(told)
    return bank.teller.expect(account, told.number("fen"), name, other, told.text("text", "转账"))


def _move(bank: Bank, told: Told) -> Any:
    return bank.teller.move(
        told.text("from", profile.PARENT), told.text("to"), told.number("fen"), told.text("text", "内部划转"),
        tell=told.flag("tell", True),
    )  # fmt: skip


def _freeze(bank: Bank, told: Told) -> Any:
    return bank.teller.hold(
        told.text("account"), told.number("fen"), told.text("document_no"), tell=told.flag("tell", True)
    )


def _unfreeze(bank: Bank, told: Told) -> Any:
    return bank.teller.lift(told.text("account"), told.text("document_no"), tell=told.flag("tell", True))


def _deduct(bank: Bank, told: Told) -> Any:
    return bank.teller.deduct(
        told.text("account"), told.number("fen"), told.text("document_no"), tell=told.flag("tell", True)
    )


def _reverse(bank: Bank, told: Told) -> Any:
    entry = told.maybe_number("entry")
    if entry is None:
        entry = bank.teller.find_entry(_account(told), told.text("ref"), told.text("biz_date", ""))
    return bank.teller.reverse(entry, tell=told.flag("tell", True))


def _return(bank: Bank, told: Told) -> Any:
    return bank.teller.give_back(
        told.text("e2e"), told.maybe_number("fen"), told.text("reason", "AC01"), told.text("text", "账号户名不符"),
        announce=told.flag("announce", True), credit=told.flag("credit", True),
    )  # fmt: skip


def _return_again(bank: Bank, told: Told) -> Any:
    return bank.teller.announce_again(told.text("rtr_id"), new_msg_id=told.flag("new_msg_id", False))


def _settle(bank: Bank, told: Told) -> Any:
    policy.order(
        bank.books, told.text("mode"), told.text("reason", ""), told.text("text", ""), told.text("account", ""),
        told.text("e2e", ""), told.maybe_number("times"),
    )  # fmt: skip
    return {"policy": policy.current(bank.books)}


def _release(bank: Bank, told: Told) -> Any:
    e2e = told.text("e2e")
    bank.orders.release(e2e)
    return bank.orders.payment(e2e)


def _refuse(bank: Bank, told: Told) -> Any:
    e2e = told.text("e2e")
    bank.orders.refuse(e2e, told.text("reason"), told.text("text", ""))
    return bank.orders.payment(e2e)


def _payee(bank: Bank, told: Told) -> Any:
    row = (told.text("account"), told.text("name", ""), told.text("status", "ok"))
    if row[2] not in ("ok", "closed", "frozen"):
        raise BadOrder("status is ok, closed or frozen")
    with bank.books.transaction() as db:
        db.execute(
            "INSERT INTO bank_payee VALUES (?,?,?) ON CONFLICT (account) DO UPDATE SET name=excluded.name,"
            " status=excluded.status",
            row,
        )
    return dict(zip(("account", "name", "status"), row, strict=True))


def _reserve(bank: Bank, told: Told) -> Any:
    number, case_ref = told.text("account"), told.text("case_ref", "")
    bank.ledger.reserve(number, case_ref)
    return {"account": number, "case_ref": case_ref}


def _report(bank: Bank, told: Told) -> Any:
    return {"told": [bank.notices.report(_account(told), [])]}


def _close_day(bank: Bank, told: Told) -> Any:
    slip = Slip(
        tuple(told.maybe("omit") or ()), tuple(told.maybe("double") or ()), told.number("skip_numbers", 0),
        tuple(told.maybe("cut") or ()), told.text("account", ""),
    )  # fmt: skip
    today = bank.clock.beijing().date().isoformat()
    day = date.fromisoformat(told.text("day", "") or told.text("date", today))
    return {"statements": bank.notices.close_day(day, told.text("encoding", ""), slip)}


def _settings(bank: Bank, told: Told) -> Any:
    named = {name: value for name in vars(settings.Settings()) if (value := told.maybe(name)) is not None}
    return {"settings": vars(settings.change(bank.books, named))}


ACTS: dict[str, Act] = {
    "deposit": _deposit,
    "expect": _expect,
    "move": _move,
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "deduct": _deduct,
    "reverse": _reverse,
    "return": _return,
    "return_again": _return_again,
    "settle": _settle,
    "policy": _settle,
    "release": _release,
    "refuse": _refuse,
    "payee": _payee,
    "reserve": _reserve,
    "report": _report,
    "close_day": _close_day,
    "resend": lambda bank, told: {"due": bank.post.resend(told.maybe_number("seq"))},
    "settings": _settings,
    "restate": lambda bank, told: bank.notices.restate(told.text("account")),
    "rotate_key": lambda bank, _: {"keyId": bank.keys.rotate(), "certificate": bank.keys.certificate()},
}
