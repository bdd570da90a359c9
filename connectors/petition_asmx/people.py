"""The people of a petition: who petitions, against whom, how many."""

from dataclasses import replace
from typing import Any

from connectors.petition_asmx.fields import Fields
from connectors.petition_asmx.jsonstring import whole_number
from connectors.petition_asmx.names import Names, has_lost_characters, is_anonymous, is_body
from schemas.claims import PartyClaim
from schemas.identifiers import check_phone, normalise_code, normalise_phone


def how_many(fields: Fields, named: Names) -> None:
    """State how many people stand behind a petition: told, or counted from 等N人, the larger of both."""
    told = whole_number(fields.text("RS")) if fields.text("RS") else None
    count = max(told or 0, named.count if named.count > len(named.names) else 0)
    if count or told is not None:
        fields.claim("people_count", count or named.count, fields.text("RS") or None)
    if together := fields.code("JTF"):
        fields.claim("group_flag", together == "1")


def petitioner_parties(fields: Fields, named: Names) -> list[PartyClaim]:
    """The petitioners; what the message tells of a person is told of the first of them."""
    found = [_party("applicant", name, place) for place, name in enumerate(named.names, start=1)]
    for party in found:
        if has_lost_characters(party.name):
            fields.note("NAME_CHARACTERS", "XFRXM", party.name, "a name without question marks")
    identity = fields.identity("SFZH")
    sex = fields.code("XB")
    if not found:
        return []
    extra = dict(found[0].extra)
    if "old_id" in identity:
        extra["old_id"] = identity["old_id"]
    if named.count > len(found):
        extra["and_others"] = named.count - len(found)
    # The id, the sex and the phone are the first one's, or the writer's (habit 5).
    found[0] = replace(
        found[0],
        id_number=identity.get("id_number"),
        masked_id=identity.get("masked_id"),
        gender=sex or None,
        phone=_phone(fields, extra),
        address=fields.text("ZZ") or None,
        extra=extra,
    )
    return found


def opposed_parties(fields: Fields, named: Names) -> list[PartyClaim]:
    """Those who are complained of: free text, so weak."""
    found = [_party("respondent", name, place) for place, name in enumerate(named.names, start=1)]
    return [replace(party, extra={**party.extra, "weak": True}) for party in found]


def _party(role: Any, name: str, place: int) -> PartyClaim:
    extra: dict[str, Any] = {}
    if is_anonymous(name):
        extra["anonymous"] = True
    if has_lost_characters(name):
        extra["lost_characters"] = True
    return PartyClaim(
        role=role,
        kind="organisation" if is_body(name) else "person",
        name=name,
        key=f"{role}:{place}",
        extra=extra,
    )


def _phone(fields: Fields, extra: dict[str, Any]) -> str | None:
    raw = fields.text("LXDH")
    if not raw:
        return None
    number = normalise_phone(normalise_code(raw))
    if check_phone(number) is None:
        return number
    fields.note("PHONE_FORMAT", "LXDH", raw, "a phone number")
    extra["phone_text"] = raw
    return None
