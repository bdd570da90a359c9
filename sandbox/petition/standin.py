"""The petition office as the hub sees it on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Response

from sandbox.control import BadOrder, content_bytes
from sandbox.desk import Desk, Inbound
from sandbox.openapi_rules import read_json
from sandbox.petition.letters import PARTNER, Letters
from sandbox.petition.push import PetitionPush
from sandbox.petition.service import SERVICE, PetitionService
from sandbox.soap import SOAP11, find_local, read_envelope


class PetitionStandIn:
    partner = PARTNER

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._letters = Letters(desk)
        self._service = PetitionService(desk, self._letters)
        self._push = PetitionPush(desk, self._letters)

    def serve(self, call: Inbound) -> Response:
        if call.method == "GET" and "wsdl" in {key.lower() for key in call.query}:
            return Response(SERVICE.wsdl(call.url.split("?")[0]), media_type="text/xml")
        if call.method != "POST":
            return Response("no such page", 404)
        operation = self._service.operation(call)
        return self._desk.receive(
            PARTNER,
            operation,
            call,
            lambda fault: self._service.handle(call, fault),
            self._service.fault,
        )

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        return self._push.emit(order)

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{"rows": […], "changed_at"?}` or `content` (a GetXfjList reply or a row): letters to be pulled;
        `{"token": {"month": "2026-05", "value": …}}`: the key from that month on; `{"rules": {"odd_errors": true}}`;
        `{"waiting": true}`."""
        if "rules" in order:
            return {"rules": self._desk.set_rules(PARTNER, order["rules"])}
        if "waiting" in order:
            return {"deliveries": self._push.deliveries.waiting()}
        if "token" in order:
            months = self._desk.books.get(PARTNER, "token", "months") or {}
            months[str(order["token"]["month"])] = str(order["token"]["value"])
            self._desk.books.put(PARTNER, "token", "months", months)
            return {"months": sorted(months)}
        rows = order["rows"] if "rows" in order else _rows(content_bytes(order))
        changed = order.get("changed_at")
        for row in rows:
            if not isinstance(row, dict) or not row.get("XFJBH"):
                raise BadOrder("a row needs XFJBH")
            self._letters.keep(row, datetime.fromisoformat(changed) if changed else None)
        return {"rows": len(rows)}

    def tick(self) -> int:
        return self._push.deliveries.tick()


def _rows(content: bytes) -> list[dict[str, Any]]:
    if content.lstrip()[:1] == b"<":
        found = find_local(read_envelope(content, SOAP11).payload, "GetXfjListResult")
        if found is None:
            raise BadOrder("the envelope holds no GetXfjListResult")
        content = (found.text or "").encode()
    told = read_json(content)
    return list(told["Rows"]) if "Rows" in told else [told]
