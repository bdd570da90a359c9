"""The arbitration commission as the hub sees it on the wire."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from sandbox.arbitration.cases import PARTNER, Cases
from sandbox.arbitration.push import ArbitrationPush
from sandbox.arbitration.service import RULES, ArbitrationService
from sandbox.control import BadOrder, content_bytes
from sandbox.desk import Desk, Inbound
from sandbox.openapi_rules import read_json


class ArbitrationStandIn:
    partner = PARTNER

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._cases = Cases(desk)
        self._service = ArbitrationService(desk, self._cases)
        self._push = ArbitrationPush(desk, self._cases)

    def serve(self, call: Inbound) -> Response:
        operation = self._service.operation(call)
        return self._desk.receive(
            PARTNER,
            operation,
            call,
            lambda fault: self._service.handle(operation, call, fault),
            self._service.closed,
        )

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        return self._push.emit(order)

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{"case": {…}}`, `{"cases": […]}`, `{"award": {…}}` or `content` (a CasePage, a Case, an Award): for GET;
        `{"webhook_secret": …}`: the secret from now on; `{"rules": {"rate", "maintenance"}}`; `{"waiting": true}`."""
        if "rules" in order:
            return {"rules": self._desk.set_rules(PARTNER, order["rules"])}
        if "waiting" in order:
            return {"deliveries": self._push.deliveries.waiting()}
        if "webhook_secret" in order:
            self._desk.books.put(PARTNER, "secret", "webhook", str(order["webhook_secret"]))
            return {"webhook_secret": "changed"}
        if not {"case", "cases", "award"} & order.keys():
            told = read_json(content_bytes(order))
            kind = (
                "cases"
                if "items" in told and "nextCursor" in told
                else "award"
                if "awardId" in told
                else "case"
            )
            order = {**order, kind: told["items"] if kind == "cases" else told}
        cases = list(order.get("cases") or ([order["case"]] if "case" in order else []))
        awards = [order["award"]] if "award" in order else []
        if not order.get("unchecked"):
            wrong = [each for case in cases for each in RULES.violations(case, "Case")]
            wrong += [each for award in awards for each in RULES.violations(award, "Award")]
            if wrong:
                raise BadOrder(
                    f"not as the contract says (unchecked=true to offer it all the same): {wrong[0]}"
                )
        for case in cases:
            self._cases.keep(case)
        for award in awards:
            self._cases.keep_award(award)
        return {"cases": len(cases), "awards": len(awards)}

    def tick(self) -> int:
        return self._push.deliveries.tick()
