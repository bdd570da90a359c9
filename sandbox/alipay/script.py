"""Scripted replies: what the next calls of a method are answered, and whether the transfer is carried out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.alipay.profile import METHODS
from sandbox.books import Books
from sandbox.control import BadOrder
from sandbox.told import Told

_ANSWERS_OF_EFFECT = ("", "SUCCESS", "DEALING")


@dataclass(frozen=True)
class Line:
    """`answer`: a status (SUCCESS, DEALING, FAIL, REFUND) or a sub_code; `node`: a whole reply instead.

    `applies`: whether a transfer is kept in the book although answered so; `then`: its status there (SUCCESS = paid,
    DEALING). `sign`: good, bad, or none (an unsigned error_response). `bind`: put the call's out_biz_no into `node`.
    """

    answer: str = ""
    node: dict[str, Any] = field(default_factory=dict)
    applies: bool = True
    then: str = "SUCCESS"
    sign: str = "good"
    bind: bool = True


def _lets_it_happen(node: dict[str, Any]) -> bool:
    """Whether a reply of these words may stand for a transfer that is on its way: all but definite refusals."""
    code, sub_code = str(node.get("code", "")), str(node.get("sub_code", ""))
    return code in ("10000", "10003", "20000") or sub_code == "SYSTEM_ERROR"


class Script:
    def __init__(self, books: Books) -> None:
        self._books = books

    def add(self, order: dict[str, Any]) -> None:
        """Append one line: {"method", "answer"?, "node"? (or "response"), "apply"?, "then"?, "sign"?, "bind"?, "out_biz_no"?,
        "times"?}."""
        told = Told(order)
        method, answer = told.text("method"), told.text("answer", "")
        node = told.maybe("node") or told.maybe("response") or {}
        if method not in METHODS or not isinstance(node, dict):
            raise BadOrder(f"method is one of {', '.join(METHODS)}; node is an object")
        # A ready-made reply that leaves the outcome open leaves the order open too, until a notify or an act ends it.
        open_end = bool(node) and node.get("status") != "SUCCESS"
        then = told.text("then", "DEALING" if answer == "DEALING" or open_end else "SUCCESS")
        applies = told.flag("apply", _lets_it_happen(node) if node else answer in _ANSWERS_OF_EFFECT)
        line = Line(answer, node, applies, then, told.text("sign", "good"), told.flag("bind", True))
        if line.then not in ("SUCCESS", "DEALING") or line.sign not in ("good", "bad", "none"):
            raise BadOrder("then is SUCCESS or DEALING; sign is good, bad or none")
        number, times = told.text("out_biz_no", ""), told.number("times", 1)
        told.done()
        if not 1 <= times <= 10_000:
            raise BadOrder("times is 1..10000")
        with self._books.transaction() as db:
            db.execute(
                "INSERT INTO alipay_script (method, out_biz_no, told, times) VALUES (?,?,?,?)",
                (method, number, json.dumps(asdict(line), ensure_ascii=False), times),
            )

    def take(self, method: str, out_biz_no: str) -> Line | None:
        """The next line meant for this call, counted down; None = behave."""
        with self._books.transaction() as db:
            row = db.execute(
                "SELECT * FROM alipay_script WHERE method=? AND out_biz_no IN ('', ?) AND times>0 ORDER BY seq LIMIT 1",
                (method, out_biz_no),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE alipay_script SET times=times-1 WHERE seq=?", (row["seq"],))
        return Line(**json.loads(row["told"]))

    def clear(self) -> None:
        with self._books.transaction() as db:
            db.execute("DELETE FROM alipay_script")

    def waiting(self) -> list[dict[str, Any]]:
        with self._books.transaction() as db:
            rows = db.execute("SELECT * FROM alipay_script WHERE times>0 ORDER BY seq").fetchall()
        return [
            {"method": row["method"], "out_biz_no": row["out_biz_no"], "times": row["times"], **json.loads(row["told"])}
            for row in rows
        ]  # fmt: skip
