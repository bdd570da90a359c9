"""A record with only those classes of fields that its reader may see (``access.toml``)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from case_registry.access import DEFAULT_CLASS, PERSON, class_of
from case_registry.escalation_rating import FORECAST

# Parts of a record that name people or quote what was said of them.
_OF_PEOPLE: dict[str, Any] = {"people": [], "links": [], "proposals": [], "conflicts": [], "related": []}
# Parts that say what the dispute is about.
_OF_THE_CASE: dict[str, Any] = {
    "escrow": {},
    "factor": None,
    "claimed_fen": None,
    "agreed_fen": None,
    "cause": "",
}


def only_classes(record: dict[str, Any], classes: Collection[str]) -> dict[str, Any]:
    """The record without what its reader may not see; shown as if it had not been told."""
    found = dict(record)
    found["fields"] = {name: value for name, value in record["fields"].items() if class_of(name) in classes}
    found["episodes"] = [
        {
            **each,
            "fields": {name: value for name, value in each["fields"].items() if class_of(name) in classes},
        }
        for each in record["episodes"]
    ]
    if PERSON not in classes:
        found |= {name: empty for name, empty in _OF_PEOPLE.items() if name in found}
        found["title"] = record["cause"]
    if FORECAST not in classes and "escalation" in found:
        found["escalation"] = None
    if DEFAULT_CLASS not in classes:
        found |= {name: empty for name, empty in _OF_THE_CASE.items() if name in found}
        found["title"] = found["cause"]
        found["episodes"] = [
            {**each, "awards": [], "enforcement": None, "confirmation": None} for each in found["episodes"]
        ]
    return found
