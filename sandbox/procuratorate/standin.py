"""The county procuratorate as the hub sees it on the wire."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import Response

from sandbox.control import content_bytes
from sandbox.desk import Desk, Inbound
from sandbox.procuratorate.messages import PARTNER, Messages, local_text
from sandbox.procuratorate.push import ProcuratoratePush, payload_of
from sandbox.procuratorate.service import SERVICE, ProcuratorateService
from sandbox.soap import find_local


class ProcuratorateStandIn:
    partner = PARTNER

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._messages = Messages(desk)
        self._service = ProcuratorateService(desk, self._messages)
        self._push = ProcuratoratePush(desk, self._messages, self._service)

    def serve(self, call: Inbound) -> Response:
        if call.method == "GET" and "wsdl" in {key.lower() for key in call.query}:
            return Response(SERVICE.wsdl(call.url.split("?")[0]), media_type="text/xml")
        if call.method != "POST":
            return Response("no such page", 404)
        operation = self._service.operation(call)
        return self._desk.receive(
            PARTNER, operation, call, lambda fault: self._service.handle(call, fault), self._service.busy
        )

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        return self._push.emit(order)

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """`content` (an envelope, a Body's element, or a ListMessagesResponse whose items are taken over), `gap` [numbers];
        `{"trust_certificate": PEM}`: the hub's certificate; `{"certificate": true}`: ours; `{"rules": {"rate": true, "drift_s": 0..50}}`;
        `{"waiting": true}`."""
        if "rules" in order:
            return {"rules": self._desk.set_rules(PARTNER, order["rules"])}
        if "waiting" in order:
            return {"deliveries": self._push.deliveries.waiting()}
        if "trust_certificate" in order:
            return {"trusted": self._service.trust(str(order["trust_certificate"]))}
        if "certificate" in order:
            return {"pem": (self._desk.var / PARTNER / "jcy.crt").read_text("utf-8")}
        if "gap" in order:
            self._messages.withhold(order["gap"])
            if not {"content", "content_base64"} & order.keys():
                return {"gap": order["gap"]}
        payload = payload_of(content_bytes(order))
        found = [payload]
        if find_local(payload, "LastSeq") is not None:
            items = [each for each in payload if local_text(each, "Envelope")]
            found = [payload_of(base64.b64decode(local_text(each, "Envelope"))) for each in items]
            self._messages.withhold([int(each.text or 0) for each in payload if each.tag.endswith("}Gap")])
        kept = [self._messages.keep(each) for each in found]
        return {"messages": [{"seq": each.seq, "msg_id": each.msg_id, "kind": each.kind} for each in kept]}

    def tick(self) -> int:
        return self._push.deliveries.tick()
