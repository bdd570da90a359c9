"""Tables about agencies and their messages: manifests, endpoints, codes, notices."""

from __future__ import annotations

import ast
from collections.abc import Callable

from connectors import Connector, all_connectors
from exchange_api.problem import STATUS_OF
from schemas.findings import FINDING_CODES
from tests.docs.rows import code, size, table
from tests.platform.tree import ROOT


def partners() -> str:
    rows = [
        (
            code(each.id),
            each.name_zh,
            each.manifest["name_en"],
            code(each.institution),
            " ".join(code(name) for name in each.aliases),
        )
        for each in all_connectors().values()
    ]
    return table(["adapter", "name", "in English", "institution", "names at the command line"], rows)


def ways() -> str:
    columns = [
        "adapter",
        "pushes",
        "is pulled",
        "files",
        "authentication",
        "strength",
        "body at most",
        "rate",
    ]
    return table(columns, [_way(each) for each in all_connectors().values()])


def _way(each: Connector) -> tuple[object, ...]:
    auth, limits = each.manifest["auth"], each.manifest["limits"]
    rates = [
        f"{limits[key]} a {word}"
        for key, word in (("rate_per_s", "second"), ("rate_per_min", "minute"))
        if key in limits
    ]
    suffixes = each.manifest.get("files", {}).get("suffixes", ())
    return (
        code(each.id),
        each.has("pushes"),
        " ".join(code(kind) for kind in _kinds(each)),
        " ".join(code(suffix) for suffix in suffixes) or each.has("files"),
        code(auth["kind"]),
        "weak, as its contract prescribes" if auth["weak"] else "strong",
        size(limits["body_bytes"]),
        ", ".join(rates),
    )


def _kinds(each: Connector) -> list[str]:
    return (
        [kind or "everything" for kind in each.manifest.get("pull", {}).get("kinds", ())]
        if each.has("pulls")
        else []
    )


def endpoints() -> str:
    rows = []
    for each in all_connectors().values():
        for endpoint in each.service.ENDPOINTS if each.service else ():
            address = f"/partners/{each.id}{endpoint.path}"
            rows.append(
                (
                    endpoint.method,
                    code(address),
                    code(endpoint.operation or "by the SOAP action"),
                    size(endpoint.max_bytes),
                    code(f"GET {address}?wsdl") if endpoint.wsdl else "",
                )
            )
    return table(["method", "address", "operation", "at most", "contract"], rows)


def notices() -> str:
    """Only events that the hub tells of: a manifest may name more."""
    told = _events_told()
    found: dict[str, list[str]] = {}
    for each in all_connectors().values():
        for event, operation in each.manifest.get("notices", {}).items():
            if event not in told:
                continue
            found.setdefault(event, []).append(f"{code(each.id)} {code(operation)}")
    return table(
        ["event", "who is told, by which operation"],
        [(code(k), "<br>".join(v)) for k, v in sorted(found.items())],
    )


def _events_told() -> set[str]:
    """The events in calls of ``notices.tell`` and ``notice``, read from the source."""
    found = set()
    for path in (ROOT / "hub").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("tell", "notice")
            ):
                found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found


def finding_codes() -> str:
    rows = [
        (code(text.code), text.zh, text.en, text.todo_en, STATUS_OF.get(text.code, 422))
        for text in FINDING_CODES.values()
    ]
    return table(["code", "意思", "meaning", "what to do", "REST status"], rows)


def contract_codes() -> str:
    rows = [(code(text.pack_code), code(text.code)) for text in FINDING_CODES.values() if text.pack_code]
    finer = [("", code(text.code)) for text in FINDING_CODES.values() if not text.pack_code]
    return table(["code in the contracts", "code in Concord"], [*rows, *finer])


def partner_codes() -> str:
    """Only adapters that answer a caller: what each of our codes is to them."""
    told = [each for each in all_connectors().values() if each.service is not None]
    defaults = ["any other", *(code(each.manifest["errors"]["default"]) for each in told)]
    rows = []
    for ours in FINDING_CODES:
        own = [each.manifest["errors"].get(ours, "") for each in told]
        if any(own):
            rows.append([code(ours), *(code(value) for value in own)])
    return table(["our code", *(code(each.id) for each in told)], [*rows, defaults])


TABLES: dict[str, Callable[[], str]] = {
    "partners": partners,
    "partner-ways": ways,
    "endpoints": endpoints,
    "notices": notices,
    "finding-codes": finding_codes,
    "contract-codes": contract_codes,
    "partner-codes": partner_codes,
}
