"""The commission's own cases and awards; events that it sends change them, so GET shows what the events said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.clock import BEIJING
from sandbox.desk import Desk

PARTNER = "arbitration"


class Cases:
    """Cases by id (the newest version) and awards by id, on shelves of the books."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def keep(self, case: dict[str, Any]) -> None:
        """Keep a case unless a higher version is known."""
        known = self._desk.books.get(PARTNER, "case", str(case["caseId"]))
        if known is None or int(case.get("version") or 1) >= int(known.get("version") or 1):
            self._desk.books.put(PARTNER, "case", str(case["caseId"]), case)

    def keep_award(self, award: dict[str, Any]) -> None:
        self._desk.books.put(PARTNER, "award", str(award["awardId"]), award)

    def one(self, case_id: str) -> dict[str, Any] | None:
        found = self._desk.books.get(PARTNER, "case", case_id)
        return found if isinstance(found, dict) else None

    def awards(self, case_id: str) -> list[dict[str, Any]]:
        found = [award for _, _, award in self._desk.books.items(PARTNER, "award")]
        return [award for award in found if award.get("caseId") == case_id]

    def changed_since(self, since: str) -> list[dict[str, Any]]:
        """Cases with updatedAt at or after `since` (ISO with zone; "" = all), oldest change first."""
        found = [case for _, _, case in self._desk.books.items(PARTNER, "case")]
        if since:
            limit = datetime.fromisoformat(since)
            found = [case for case in found if datetime.fromisoformat(str(case["updatedAt"])) >= limit]
        return sorted(
            found, key=lambda case: (datetime.fromisoformat(str(case["updatedAt"])), str(case["caseId"]))
        )

    def follow(self, event: dict[str, Any]) -> None:
        """Let an event that goes out change the case and its awards."""
        if isinstance(event.get("case"), dict) and event["case"].get("caseId"):
            self.keep(event["case"])
        if isinstance(event.get("award"), dict) and event["award"].get("awardId"):
            self.keep_award(event["award"])
        status = {"case.withdrawn": "WITHDRAWN", "award.issued": "AWARDED", "award.corrected": "AWARDED"}
        known = self.one(str(event.get("caseId")))
        if known is None or event.get("type") not in status or "case" in event:
            return
        at = datetime.fromtimestamp(int(event.get("occurredAt") or 0) / 1000, BEIJING)
        changed = {
            **known,
            "status": status[event["type"]],
            "statusReason": event.get("reason"),
            "version": int(known.get("version") or 1) + 1,
            "updatedAt": at.isoformat(timespec="seconds"),
        }
        self._desk.books.put(PARTNER, "case", str(event["caseId"]), changed)
