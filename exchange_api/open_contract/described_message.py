"""The message as the OpenAPI tells it: a schema for each kind, with the rules that hold between its parts.

The model (schemas/open_contract.py) is one for all kinds, and what each kind needs is looked at after it; a caller who makes
a client from the description is told all of it. Not said here, because no schema can: that a day is in the calendar (30
February), check characters of id numbers, who may send what, and that a message does not correct itself.
"""

from __future__ import annotations

import copy
from typing import Any

from schemas.open_contract import Message

Schema = dict[str, Any]
_UNFIT = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff"
_DATE = r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
# What the model's own pattern lets through and the later look refuses is left out, by the pattern it stands for.
DAY = f"^{_DATE}$"
MOMENT = f"^{_DATE}T{_TIME}$"
LINE = r"^[^\u0000-\u001f\u007f\ufffe\uffff]*$"
TEXT = f"^[^{_UNFIT}]*$"
PARTS = ("confirmation", "hold", "award", "enforcement", "withdrawal")
KINDS = {"record": "Message", "correction": "Correction", "withdrawal": "Withdrawal"}
NULL: Schema = {"type": "null"}


def schemas() -> dict[str, Schema]:
    """The schemas of a message's parts by name; `KINDS` names that of each kind."""
    message = Message.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Schema] = message.pop("$defs")
    for name, part in [("Message", message), *parts.items()]:
        _tell(part, nullable=name != "Fields")
    record = parts.pop("ContractRecord")
    parts["EpisodeFields"] = {**copy.deepcopy(parts["Fields"]), "minProperties": 1, "title": "EpisodeFields"}
    records = {f"{kind.capitalize()}Record": _record(record, kind) for kind in ("episode", *PARTS)}
    parts["Record"] = {
        "oneOf": [_ref(name) for name in records],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {
                each["properties"]["kind"]["const"]: _ref(name)["$ref"] for name, each in records.items()
            },
        },
    }
    messages = {name: _message(message, kind, name) for kind, name in KINDS.items()}
    return {**messages, **parts, **records}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _tell(part: Schema, *, nullable: bool) -> None:
    """Narrow the patterns of one part; what may be absent may also be null, which is the same."""
    required = part.get("required", ())
    for name, value in part["properties"].items():
        for told in value.get("anyOf", [value]):
            if told.get("type") == "string" and "enum" not in told and "const" not in told:
                told["pattern"] = _pattern(told.get("pattern", ""))
        if nullable and name not in required and NULL not in value.get("anyOf", ()):
            kept = {
                key: value.pop(key) for key in list(value) if key not in ("title", "description", "default")
            }
            value["anyOf"] = [kept, NULL]


def _pattern(own: str) -> str:
    if own.endswith(r"[0-9]{2}-[0-9]{2}$"):
        return DAY
    if "T[0-9]{2}:" in own:
        return MOMENT
    return {"": TEXT, r"^[^\x00-\x1f\x7f]*$": LINE}.get(own, own)


def _record(record: Schema, kind: str) -> Schema:
    """A record of one kind: the part that it needs, and none of the others."""
    made = copy.deepcopy(record)
    properties = made["properties"]
    for part in PARTS:
        properties[part] = (
            _ref(properties[part]["anyOf"][0]["$ref"].rsplit("/", 1)[-1]) if part == kind else NULL
        )
    if kind == "episode":
        properties["fields"] = _ref("EpisodeFields")
    properties["kind"] = {"const": kind, "type": "string"}
    made["required"] = ["kind", "fields" if kind == "episode" else kind]
    made["title"] = f"{kind.capitalize()}Record"
    return made


def _message(message: Schema, kind: str, name: str) -> Schema:
    made = copy.deepcopy(message)
    properties = made["properties"]
    properties["kind"] = {"const": kind, "type": "string"}
    properties["records"] = (
        NULL
        if kind == "withdrawal"
        else {"type": "array", "minItems": 1, "maxItems": 50, "items": _ref("Record")}
    )
    more = [] if kind == "withdrawal" else ["records"]
    if kind == "record":
        properties["corrects"] = NULL
    else:
        properties["corrects"] = properties["corrects"]["anyOf"][0]
        more.append("corrects")
    made["required"] = [*message["required"], *more]
    made["title"] = name
    return made
