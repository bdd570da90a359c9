"""One petition → records: the episode, and its withdrawal where it was taken back."""

import re
from datetime import date
from typing import Any

from connectors.petition_asmx.attachments import read_attachments
from connectors.petition_asmx.fields import Fields, RowRead, stamp_of
from connectors.petition_asmx.jsonstring import whole_number
from connectors.petition_asmx.names import opposed, petitioners
from connectors.petition_asmx.people import how_many, opposed_parties, petitioner_parties
from schemas.case_numbers import find_case_numbers, find_mediation_numbers
from schemas.claims import Record, Reference
from schemas.wide import Unreadable, read_wide_date

REVOKED_VERSION = (2_147_483_647, 3)
"""RevokeXfj carries no version: what was taken back stays so, whatever version comes after or before."""
_HAPPENED = re.compile(
    r"(?P<day>\d{4}年\d{1,2}月\d{1,2}日|\d{4}-\d{1,2}-\d{1,2})(?:在(?P<place>[\u4e00-\u9fff]{2,20}?))?"
    r"与[^，,。；;]{2,60}?发生(?P<cause>[^，,。；;]{2,40})",
    re.ASCII,
)


def version_of(fields: Fields, operation: str) -> tuple[int, int]:
    """(BBH, rank of the operation): later wins, arrival never. A petition without BBH is its first version."""
    number = whole_number(fields.text("BBH")) if fields.text("BBH") else 1
    rank = {"A": 0, "U": 1, "D": 2}.get(operation, 0)
    return number or 0, rank


def read_petition(fields: Fields, operation: str) -> RowRead:
    """The records of a petition whose keys were checked. `operation`: A, U or D."""
    native_id = fields.text("XFJBH")
    version = version_of(fields, operation)
    fields.claim("proceeding_kind", "PETITION")
    fields.code("CZLX")
    state = fields.code("BLZT")
    if state:
        fields.claim("state", state)
    fields.day("XFRQ", "opened_on")
    _who_handles_it(fields)
    _what_it_is_about(fields)
    fields.amount("SJJE")
    repeats = _repeats(fields)
    named, against = petitioners(fields.text("XFRXM")), opposed(fields.text("BXFR"))
    how_many(fields, named)
    parties = (*petitioner_parties(fields, named), *opposed_parties(fields, against))
    # An update that leaves one side out has not changed it: the whole set known before holds.
    parties_told = bool(named.names and (against.names or operation == "A"))
    data: dict[str, Any] = {
        "form": fields.code("XFXS"),
        "category": fields.text("NRFL"),
        "operation": operation,
        "documents": read_attachments(fields),
        "appended_bodies": list(against.appended),
    }
    event_at = _event_at(fields, operation, native_id)
    episode = Record(
        kind="episode",
        native_id=native_id,
        version=version,
        event_at=event_at,
        claims=tuple(fields.claims),
        parties=parties if parties_told else None,
        references=(*repeats, *_hints(fields.text("NR"))),
        path=fields.path,
        data=data,
    )
    if state != "WITHDRAWN" and operation != "D":
        return fields.done(episode)
    why = "BLZT 09" if state == "WITHDRAWN" else "CZLX D"
    return fields.done(episode, withdrawal(native_id, version, event_at, why, fields.path))


def withdrawal(native_id: str, version: tuple[int, ...], event_at: str, reason: str, path: str) -> Record:
    """The petition was taken back: its episode ends, nothing is deleted."""
    return Record(
        kind="withdrawal",
        native_id=native_id,
        version=version,
        event_at=event_at,
        path=path,
        data={"reason": reason, "reason_code": "TAKEN_BACK", "hide": False},
    )


def _who_handles_it(fields: Fields) -> None:
    holder = fields.state("ZRDW", "holder")
    if re.search(r"调解委员会|调委会|调解中心", holder):
        fields.claim("organisation", holder)
    fields.moment("ZBSJ")
    # Counted from XFRQ by some clerks and from ZBSJ by others: what is written decides (habit 11).
    fields.day("BLQX", "limit_date")


def _what_it_is_about(fields: Fields) -> None:
    narrative = fields.state("NR", "narrative")
    if category := fields.text("NRFL"):
        # Which field of the office, not what kind of quarrel: a hint only (code_map_wire).
        fields.claim("cause_code", {"system": "petition_partner_nrfl", "code": category})
    fields.state("WTSD", "place_code")
    if match := _HAPPENED.search(narrative):
        try:
            fields.claim("occurred_on", read_wide_date(match["day"]).day.isoformat(), match["day"])
        except Unreadable:
            pass  # an aside in a free text, not a key of the contract
        if match["place"]:
            fields.claim("place_text", match["place"])
        fields.claim("cause", match["cause"], match[0])


def _repeats(fields: Fields) -> tuple[Reference, ...]:
    if repeated := fields.code("CFXF"):
        # Often wrong (habit 7): the registry counts for itself.
        fields.claim("repeat_flag", repeated == "1")
    earlier = fields.text("YXFJBH")
    if not earlier:
        return ()
    fields.claim("repeats", earlier)
    return (Reference("episode", earlier, "petition"),)


def _hints(narrative: str) -> tuple[Reference, ...]:
    return (
        *(Reference("mediation_number", n.text, None, "hint") for n in find_mediation_numbers(narrative)),
        *(Reference("case_number", n.key, "court", "hint") for n in find_case_numbers(narrative)),
    )


def _event_at(fields: Fields, operation: str, native_id: str) -> str:
    quiet = Fields(fields.values, fields.path, fields.context)
    begun, handed = quiet.moment("XFRQ"), quiet.moment("ZBSJ")
    found = (handed or begun) if operation != "A" else (begun or handed)
    if found is not None:
        return stamp_of(found)
    # Neither was told: the month that the number carries.
    match = re.search(r"XF\d{6}(\d{4})(\d{2})", native_id, re.ASCII)
    try:
        return f"{date(int(match[1]), int(match[2]), 1)}T00:00:00+08:00" if match else ""
    except ValueError:
        return f"{fields.context.today}T00:00:00+08:00"
