"""Tables about sharing agreements: what they are, what may be shared at all, how personal values are masked."""

from __future__ import annotations

from collections.abc import Callable

from connectors import all_connectors
from hub.sharing_terms import read_agreements, vocabulary
from tests.docs.rows import code, table


def agreements() -> str:
    rows = []
    for adapter in all_connectors().values():
        path = adapter.folder / "sharing.toml"
        for each in read_agreements(path.read_bytes(), adapter.id, adapter.agency) if path.exists() else ():
            whole = " ".join(code(name) for name in each.unmasked)
            rows.append(
                [code(each.id), code(each.partner), code(each.data_set), code(each.purpose), each.basis,
                 f"{each.since} – {each.until}", whole]
            )  # fmt: skip
    return table(
        ["agreement", "partner", "data set", "purpose", "legal basis", "first and last day", "shown whole"],
        rows,
    )


def fields() -> str:
    rows = []
    for name, told in vocabulary()["data_sets"].items():
        for path, field in told["fields"].items():
            never = "never" if field["class"] in vocabulary()["never"] else code(field.get("mask", ""))
            rows.append([code(name), code(path), field["zh"], field["en"], field["class"], never])
    return table(["data set", "field", "字段", "in English", "class", "masked by"], rows)


def masks() -> str:
    return table(
        ["mask", "规则", "rule"], [[code(n), m["zh"], m["en"]] for n, m in vocabulary()["masks"].items()]
    )


TABLES: dict[str, Callable[[], str]] = {
    "sharing-agreements": agreements,
    "sharing-fields": fields,
    "sharing-masks": masks,
}
