"""The provincial gateway as the hub sees it on the wire; it never calls the hub."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from sandbox.control import BadOrder, content_bytes
from sandbox.desk import Desk, Inbound
from sandbox.gateway.register import PARTNER, Register
from sandbox.gateway.service import GatewayService
from sandbox.openapi_rules import read_json


class GatewayStandIn:
    partner = PARTNER

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._register = Register(desk)
        self._service = GatewayService(desk, self._register)

    def serve(self, call: Inbound) -> Response:
        operation = self._service.operation(call)
        return self._desk.receive(
            PARTNER,
            operation,
            call,
            lambda fault: self._service.handle(operation, call, fault),
            self._service.upgrading,
        )

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """The gateway calls nobody: what it would say is put into its register, for when the hub asks."""
        return {**self.offer(order), "status": 200, "verdict": "OFFERED", "seq": None}

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{"persons": [{"xm","gmsfhm","swbs"?,"hjdz"?}]}`, `{"companies": [{"qymc","tyshxydm"}]}`, or `content` (a Data
        reply whose rows are taken over); `{"expire": "request"|"refresh"}`: a secret ends now; `{"rules": {"quota",
        "rate", "denied": [apiId], "style": "string"|"array"|"object", "unknown": "alive"}}`."""
        if "rules" in order:
            return {"rules": self._desk.set_rules(PARTNER, order["rules"])}
        if "expire" in order:
            return self._expire(str(order["expire"]))
        if not {"persons", "companies"} & order.keys():
            order = {"persons": _rows(read_json(content_bytes(order)))}
        try:
            persons = [self._register.person(row) for row in order.get("persons", [])]
            companies = [self._register.company(row) for row in order.get("companies", [])]
        except KeyError as trouble:
            raise BadOrder(f"a row needs {trouble}") from trouble
        return {"persons": persons, "companies": companies}

    def _expire(self, which: str) -> dict[str, Any]:
        kept = self._desk.books.get(PARTNER, "secrets", "live") or {}
        if which not in ("request", "refresh") or not kept:
            raise BadOrder("expire is request or refresh, after a first token")
        kept[f"{which}_until"] = 0
        self._desk.books.put(PARTNER, "secrets", "live", kept)
        return {"expired": which}

    def tick(self) -> int:
        return 0


def _rows(reply: Any) -> list[dict[str, Any]]:
    data = reply.get("data") if isinstance(reply, dict) else None
    if isinstance(data, str):
        data = read_json(data)
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list):
        raise BadOrder("the reply holds no rows in data")
    return data
