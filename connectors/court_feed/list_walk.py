"""The REST list: walked twice from page 1, because it pages by offset over a live table (habit 8)."""

from datetime import timedelta
from urllib.parse import urlencode

from connectors.court_feed.session import CourtAway, secret
from foundation.wire import Wire
from schemas.canonical import digest
from schemas.exchange import ConnectorContext, Pulled, RawMessage
from schemas.findings import Refused
from schemas.wide import BEIJING
from schemas.xml_safe import parse_json_strict

PAGE_SIZE = 200
MOST_PAGES = 100
_OVERLAP = timedelta(minutes=10)


def walk(wire: Wire, ctx: ConnectorContext, cursor: str) -> Pulled:
    """All pages changed since `cursor` (yyyyMMddHHmmss, "" = all), twice; of the second walk only the pages
    that show a row not seen before. Raises CourtAway.
    """
    begun = ctx.now.astimezone(BEIJING)
    messages: list[RawMessage] = []
    seen: set[str] = set()
    for _ in range(2):
        for number in range(1, MOST_PAGES + 1):
            content, rows = _page(wire, ctx, cursor, number)
            marks = {_mark(row) for row in rows}
            if marks - seen:
                messages.append(
                    RawMessage(
                        partner=str(ctx.manifest["id"]),
                        channel="pull",
                        operation="",
                        content=content,
                        received_at=ctx.now,
                        headers={"x-kind": "CDFB", "x-list-as-of": begun.isoformat(timespec="seconds")},
                    )
                )
            seen |= marks
            if len(rows) < PAGE_SIZE:
                # `total` is an estimate: a page that is not full is the last one.
                break
    # The exporter's clock may be ten minutes off (habit 12).
    return Pulled(tuple(messages), (begun - _OVERLAP).strftime("%Y%m%d%H%M%S"))


def _mark(row: object) -> str:
    return digest({k: v for k, v in row.items() if k != "rnum"} if isinstance(row, dict) else str(row))


def _page(wire: Wire, ctx: ConnectorContext, since: str, number: int) -> tuple[bytes, list[object]]:
    asked = {"token": secret(ctx, "list_token"), "pageSize": str(PAGE_SIZE), "pageNum": str(number)}
    if since:
        asked["gxsj"] = since
    address = ctx.base_url.rstrip("/") + str(ctx.manifest["paths"]["list"])
    reply = wire.request("GET", f"{address}?{urlencode(asked)}", timeout_s=20.0)
    if reply.outcome != "ANSWERED":
        raise CourtAway("unreachable", reply.error)
    if reply.status != 200:
        raise CourtAway("refused" if reply.status in (401, 403) else "unreachable", f"HTTP {reply.status}")
    try:
        page = parse_json_strict(reply.content)
    except Refused as refused:
        raise CourtAway("unreachable", f"the list is no JSON: {refused}") from None
    code = page.get("code") if isinstance(page, dict) else None
    if code != 200:
        text = str(page.get("msg") if isinstance(page, dict) else "")[:200]
        raise CourtAway("refused" if code in (401, 403) else "unreachable", f"list: {code} {text}")
    content = page.get("content")
    rows = content.get("list") if isinstance(content, dict) else None
    return reply.content, rows if isinstance(rows, list) else []
