"""pain.002, pacs.004 and camt.029: what the bank says of payments that we sent."""

from __future__ import annotations

from typing import Literal, cast

from lxml import etree

from escrow.rail_types import (
    Advice,
    BatchOutcome,
    CancelAnswer,
    OrderOutcome,
    Outcome,
    RailContext,
    ReturnAdvice,
)
from escrow.rails.bank_direct.iso import amount, every, first, path_of, text, time
from schemas.findings import Finding

_CANCEL_WORDS: dict[str, Literal["CANCELLED", "REFUSED", "PENDING"]] = {
    "ACCR": "CANCELLED",
    "CNCL": "CANCELLED",
    "RJCR": "REFUSED",
    "PDCR": "PENDING",
    "PACR": "PENDING",
}


def outcome_of(word: str, ctx: RailContext) -> Outcome:
    """The outcome for the bank's word; UNKNOWN for a word that the manifest does not list."""
    return cast(Outcome, ctx.manifest["status"].get(word, "UNKNOWN"))


def read_report(message: etree._Element, ctx: RailContext) -> Advice:
    """pain.002: outcomes of named payments; for the file's others nothing was said (habit 5).

    A payment that is not ours, or not of our sum, is a finding of scope "row" and has no outcome.
    """
    outcomes: list[OrderOutcome] = []
    findings: list[Finding] = []
    for tx in every(message, "OrgnlPmtInfAndSts/TxInfAndSts"):
        wrong = _check_known(tx, "OrgnlEndToEndId", "OrgnlTxRef/Amt/InstdAmt", ctx)
        findings += wrong
        if not wrong:
            outcomes.append(_transaction(tx, ctx))
    group = first(message, "OrgnlGrpInfAndSts")
    batch = _batch(group, ctx) if group is not None else None
    return Advice("outcome", findings=tuple(findings), outcomes=tuple(outcomes), batch=batch)


def _transaction(tx: etree._Element, ctx: RailContext) -> OrderOutcome:
    word = text(tx, "TxSts")
    code, reason = _reason(tx)
    money = first(tx, "OrgnlTxRef/Amt/InstdAmt")
    return OrderOutcome(
        number=text(tx, "OrgnlEndToEndId"),
        outcome=outcome_of(word, ctx),
        rail_status=word,
        reason_code=code,
        reason=reason,
        rail_reference=text(tx, "AcctSvcrRef"),
        amount=amount(money) if money is not None else None,
        at=time(text(tx, "AccptncDtTm")),
    )


def _reason(node: etree._Element) -> tuple[str, str]:
    code = text(node, "StsRsnInf/Rsn/Cd") or text(node, "StsRsnInf/Rsn/Prtry")
    return code, text(node, "StsRsnInf/AddtlInf")


def _batch(group: etree._Element, ctx: RailContext) -> BatchOutcome:
    """What holds for payments that the report does not name.

    A whole file refused as a duplicate (DU01) says nothing of its payments: the first file with that id stands.
    """
    status = text(group, "GrpSts")
    code, reason = _reason(group)
    outcome: Outcome = "UNKNOWN"
    if status not in ("", "PART") and code != "DU01":
        outcome = outcome_of(status, ctx)
    return BatchOutcome(text(group, "OrgnlMsgId"), outcome, status, code, reason)


def _check_known(tx: etree._Element, number_path: str, amount_path: str, ctx: RailContext) -> list[Finding]:
    if ctx.known_order is None:
        return []
    number = text(tx, number_path)
    known = ctx.known_order(number)
    if known is None:
        found = first(tx, number_path)
        path = path_of(found if found is not None else tx)
        return [
            Finding(
                "UNKNOWN_ORIGINAL", path, number, "an order we sent", "park and ask the bank", scope="row"
            )
        ]
    money = first(tx, amount_path)
    if money is not None and amount(money) != known.amount:
        told, ours = amount(money).yuan_text(), known.amount.yuan_text()
        return [Finding("AMOUNT_MISMATCH", path_of(money), told, ours, "park; nothing posted", scope="row")]
    return []


def read_return(message: etree._Element, ctx: RailContext) -> Advice:
    """pacs.004: money announced to come back. Its identity is RtrId (habit 11); less than was sent is parked (10).

    A return of an unknown payment, or of more than was sent, is a finding of scope "row" and no return.
    """
    returns: list[ReturnAdvice] = []
    findings: list[Finding] = []
    for tx in every(message, "TxInf"):
        wrong = _check_return(tx, ctx)
        findings += wrong
        if not wrong:
            returns.append(_return(tx, message))
    return Advice("return", findings=tuple(findings), returns=tuple(returns))


def _check_return(tx: etree._Element, ctx: RailContext) -> list[Finding]:
    findings = _check_known(tx, "OrgnlEndToEndId", "OrgnlIntrBkSttlmAmt", ctx)
    money, original = first(tx, "RtrdIntrBkSttlmAmt"), first(tx, "OrgnlIntrBkSttlmAmt")
    if money is not None and original is not None and amount(money) > amount(original):
        told, most = amount(money).yuan_text(), amount(original).yuan_text()
        todo = "park; nothing posted"
        findings.append(Finding("AMOUNT_MISMATCH", path_of(money), told, most, todo, scope="row"))
    return findings


def _return(tx: etree._Element, message: etree._Element) -> ReturnAdvice:
    money, original = first(tx, "RtrdIntrBkSttlmAmt"), first(tx, "OrgnlIntrBkSttlmAmt")
    assert money is not None  # required by the XSD
    back, sent = amount(money), amount(original) if original is not None else None
    return ReturnAdvice(
        number=text(tx, "OrgnlEndToEndId"),
        amount=back,
        return_id=text(tx, "RtrId") or text(message, "GrpHdr/MsgId"),
        reason_code=text(tx, "RtrRsnInf/Rsn/Cd") or text(tx, "RtrRsnInf/Rsn/Prtry"),
        reason=text(tx, "RtrRsnInf/AddtlInf"),
        at=time(text(message, "GrpHdr/CreDtTm")),
        original_amount=sent,
        short=sent is not None and back < sent,
    )


def read_cancel_answer(message: etree._Element, ctx: RailContext) -> Advice:
    """camt.029: the answer to a request to cancel. What was cancelled is asked once more before it is believed."""
    overall = text(message, "Sts/Conf")
    answers = [
        CancelAnswer(
            number=text(tx, "OrgnlEndToEndId"),
            answer=_cancel_word(text(tx, "TxCxlSts") or overall),
            rail_status=text(tx, "TxCxlSts") or overall,
            reason=text(tx, "CxlStsRsnInf/AddtlInf"),
        )
        for tx in every(message, "CxlDtls/OrgnlPmtInfAndSts/TxInfAndSts")
    ]
    ask = tuple(one.number for one in answers if one.answer != "REFUSED")
    return Advice("cancel_answer", cancels=tuple(answers), ask=ask, code=overall)


def _cancel_word(word: str) -> Literal["CANCELLED", "REFUSED", "PENDING"]:
    return _CANCEL_WORDS.get(word, "PENDING")
