"""Whose payment a ready-made message means: a story's ids are put in the place of the hub's own."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from sandbox.bank.emit import booked, fen_of
from sandbox.bank.xsd import every, text
from sandbox.books import Books


class Binding:
    def __init__(self, books: Books) -> None:
        self._books = books

    def put(self, payload: bytes, root: etree._Element) -> tuple[bytes, dict[str, str]]:
        """Put the hub's own order ids where the message names payments by other ones.

        A payment is found by sub-account and sum, or by sum alone where the message names no account: the oldest that
        no other id stands for yet. What was bound once stays bound.
        """
        swaps: dict[str, str] = {}
        bound: dict[str, str] = {}
        for story_id, account, fen, parts in _named_payments(root):
            payment = self._payment_for(story_id, account, fen)
            if payment is None or payment["e2e"] == story_id:
                continue
            bound[story_id] = payment["e2e"]
            swaps[story_id] = payment["e2e"]
            for key, value in parts.items():
                if value:
                    swaps[value] = payment[key]
        if not swaps:
            return payload, bound
        whole = payload.decode("gb18030" if b"GB18030" in payload[:60].upper() else "utf-8")
        for old, new in swaps.items():
            whole = re.sub(rf"(?<=>){re.escape(old)}(?=<)", new, whole)
        return whole.encode("gb18030" if b"GB18030" in payload[:60].upper() else "utf-8"), bound

    def _payment_for(self, story_id: str, account: str, fen: int) -> dict[str, Any] | None:
        with self._books.transaction() as db:
            row = db.execute(
                "SELECT p.* FROM bank_payment p LEFT JOIN bank_binding b ON b.story_id=? WHERE p.e2e IN (?, b.e2e)",
                (story_id, story_id),
            ).fetchone()
            if row is None and fen:
                row = db.execute(
                    "SELECT * FROM bank_payment WHERE fen=? AND (?='' OR account=?) AND state<>'CANC'"
                    " AND e2e NOT IN (SELECT e2e FROM bank_binding) ORDER BY rowid LIMIT 1",
                    (fen, account, account),
                ).fetchone()
            if row is not None and row["e2e"] != story_id:
                db.execute("INSERT OR IGNORE INTO bank_binding VALUES (?, ?)", (story_id, row["e2e"]))
        return None if row is None else dict(row)


def _named_payments(root: etree._Element) -> list[tuple[str, str, int, dict[str, str]]]:
    """(EndToEndId, account or "", fen, other ids of it) of each payment a message names."""
    body, named = root[0], []
    for info in every(body, "OrgnlPmtInfAndSts"):
        for tx in every(info, "TxInfAndSts"):
            parts = {
                "instr_id": text(tx, "OrgnlInstrId"),
                "info_id": text(info, "OrgnlPmtInfId"),
                "msg_id": text(body, "OrgnlGrpInfAndSts/OrgnlMsgId"),
            }
            named.append(
                (text(tx, "OrgnlEndToEndId"), "", fen_of(text(tx, "OrgnlTxRef/Amt/InstdAmt", "0")), parts)
            )
    for tx in every(body, "TxInf"):
        parts = {"instr_id": text(tx, "OrgnlInstrId"), "msg_id": text(tx, "OrgnlGrpInf/OrgnlMsgId")}
        named.append((text(tx, "OrgnlEndToEndId"), "", fen_of(text(tx, "OrgnlIntrBkSttlmAmt", "0")), parts))
    for told in [*every(body, "Stmt"), *every(body, "Ntfctn")]:
        for entry in booked(told):
            e2e = text(entry, "NtryDtls/TxDtls/Refs/EndToEndId")
            if e2e and e2e != "NOTPROVIDED":
                named.append((e2e, text(told, "Acct/Id/Othr/Id"), fen_of(text(entry, "Amt")), {}))
    return named
