"""The county court as the hub sees it on the wire."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from sandbox.control import BadOrder, content_bytes
from sandbox.court.batch import KINDS, Batch, make_batch
from sandbox.court.exchange import SERVICE, CourtExchange
from sandbox.court.files import PARTNER, CourtFiles
from sandbox.court.list_rows import CourtList
from sandbox.court.push import CourtPush, read_parts
from sandbox.desk import Answer, Desk, Inbound
from sandbox.openapi_rules import read_json


class CourtStandIn:
    """SOAP service and list for the hub's calls; batches and notices pushed to the hub."""

    partner = PARTNER

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._files = CourtFiles(desk)
        self._list = CourtList(desk)
        self._exchange = CourtExchange(desk, self._files)
        self._push = CourtPush(desk, self._files)

    def serve(self, call: Inbound) -> Response:
        if call.method == "GET" and "wsdl" in {key.lower() for key in call.query}:
            return Response(SERVICE.wsdl(call.url.split("?")[0]), media_type="text/xml")
        if call.method == "GET" and call.path.endswith("cdfb"):
            return self._desk.receive(
                PARTNER, "cdfb", call, lambda _: self._list.handle(call),
                lambda: Answer(200, b'{"code":500,"msg":"\xe7\xb3\xbb\xe7\xbb\x9f\xe5\xbc\x82\xe5\xb8\xb8"}', "application/json"),
            )  # fmt: skip
        if call.method != "POST":
            return Response("no such page", 404)
        operation = self._exchange.operation(call)
        return self._desk.receive(
            PARTNER, operation, call, lambda fault: self._exchange.handle(call, fault), self._exchange.fault
        )

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        return self._push.emit(order)

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{"kind", "content…"}` or `{"parts": […]}`: a file to be pulled; `{"list_rows": […]}` or `{"list_page": {…}}`:
        rows of the list; `{"rules": {…}}`: rate, maintenance, empty_more; `{"waiting": true}`: what is pending."""
        if "rules" in order:
            return {"rules": self._desk.set_rules(PARTNER, order["rules"])}
        if "waiting" in order:
            return {"files": self._files.overview(), "deliveries": self._push.deliveries.waiting()}
        if "list_rows" in order or "list_page" in order:
            rows = order.get("list_rows") or order["list_page"]["content"]["list"]
            wrong = self._list.offer(rows, check=not order.get("unchecked"))
            if wrong:
                raise BadOrder(f"a row is not as the contract says: {wrong[0]}")
            return {"rows": len(rows)}
        return self._offer_file(order)

    def _offer_file(self, order: dict[str, Any]) -> dict[str, Any]:
        now, name = self._desk.clock.beijing(), str(order.get("file_name") or "")
        content = b"" if order.get("parts") else content_bytes(order)
        if content[:1] == b"{":  # a page of the list, as bytes
            return self.offer({"list_page": read_json(content)})
        if content[:2] == b"PK":
            kind = str(order.get("kind") or name[:4] or "AJXX")
            made = Batch(kind, name, name or f"{kind}_export_{now:%Y%m%d%H%M%S}.zip", content)
        else:
            made = make_batch(read_parts(order), now, str(order.get("batch_no") or ""), name)
            kind = str(order.get("kind") or made.kind)
        if kind not in KINDS:
            raise BadOrder(f"kind is one of {', '.join(KINDS)}")
        return {"file_name": self._files.add(made, kind), "kind": kind, "md5": made.md5}

    def tick(self) -> int:
        return self._push.deliveries.tick()
