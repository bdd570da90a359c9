"""Tables about ways to pay: manifests, callbacks, outcomes."""

from __future__ import annotations

from collections.abc import Callable

from escrow import all_rails
from schemas.code_tables import code_table
from tests.docs.rows import code, size, table


def rails() -> str:
    columns = ["rail", "name", "sub-accounts", "batches", "can be cancelled", "callback", "proof", "payees"]
    rows = []
    for rail in all_rails().values():
        rows.append(
            (
                code(rail.id),
                f"{rail.name_zh} {rail.manifest['name_en']}",
                rail.has("opens_subaccounts"),
                rail.has("batches"),
                rail.has("cancels"),
                code(f"POST /rails/{rail.id}/{rail.manifest['callback']['path']}"),
                ", ".join(rail.manifest["statement"]["proves"]),
                " ".join(code(kind) for kind in rail.manifest["payee"]["kinds"]),
            )
        )
    return table(columns, rows)


def limits() -> str:
    names = (
        "payment_min_fen",
        "payment_max_fen",
        "file_payments",
        "body_bytes",
        "rate_per_s",
        "number_max",
        "remark_max",
    )
    found = list(all_rails().values())
    rows = []
    for name in names:
        values = [rail.manifest["limits"][name] for rail in found]
        rows.append([code(name), *(size(each) if name.endswith("bytes") else each for each in values)])
    rows.append([code("hours.cut_off"), *(rail.manifest["hours"]["cut_off"] or "any hour" for rail in found)])
    rows.append([code("unknown.grace_s"), *(rail.manifest["unknown"]["grace_s"] for rail in found)])
    rows.append(
        [
            code("unknown.ask_after_s"),
            *(", ".join(map(str, rail.manifest["unknown"]["ask_after_s"])) for rail in found),
        ]
    )
    return table(["limit", *(code(rail.id) for rail in found)], rows)


def outcomes() -> str:
    rows = [
        (code(each.code), each.name_zh, each.name_en, each.note)
        for each in code_table("payment_outcome").values()
    ]
    return table(["outcome", "中文", "meaning", "what follows"], rows)


def rail_words() -> str:
    rows = []
    for rail in all_rails().values():
        for part in ("status", "answer", "sub_code"):
            for word, outcome in rail.manifest.get(part, {}).items():
                rows.append((code(rail.id), part.replace("_", " "), code(word), code(outcome)))
    return table(["rail", "where", "the rail's word", "outcome"], rows)


def rail_codes() -> str:
    rows = [
        (code(rail.id), code(ours), code(theirs.replace("`", "")))
        for rail in all_rails().values()
        for ours, theirs in rail.manifest.get("partner_code", {}).items()
    ]
    return table(["rail", "our code", "what the rail is answered"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "rails": rails,
    "rail-limits": limits,
    "payment-outcomes": outcomes,
    "rail-words": rail_words,
    "rail-codes": rail_codes,
}
