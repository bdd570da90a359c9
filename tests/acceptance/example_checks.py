"""What a side file expects, compared with what the hub recorded: one comparison for each kind of expectation.

`check` looks at one example right after it was taken and writes every difference down. An expectation that nobody
compares is itself a difference, unless it is prose of which nothing can be compared (PROSE).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from tests.acceptance.example_effects import EFFECTS
from tests.acceptance.example_world import Played, World

# Side files say these in words; what they mean is shown by an effect of the same file (example_effects) where there
# is anything to see in the records.
PROSE = {"rule", "note", "money", "encoding", "order", "direction_note", "apply_after", "null_vs_empty", "misspelt_key", "verify_at",
         "header_row", "skip_rows", "next"}  # fmt: skip
# Findings whose own words differ from the side file's: what the reader of a message cannot know, or says at more length.
OTHER_WORDS = {
    ("SAME_ID_OTHER_BYTES", "expected"),  # "the bytes of c01": the side file names a file
    ("SAME_ID_OTHER_BYTES", "action"),
    ("NONCE_REPLAYED", "expected"),  # adds an instruction to the tester
    ("TIMESTAMP_EXPIRED", "expected"),
    ("SIGNATURE_INVALID", "found"),  # a body that is no JSON any more was altered like any other
    ("SIGNATURE_INVALID", "expected"),
}
# A statement that does not hold is a break that somebody must own: its row, the log of its state, the word to subscribers.
BREAK = {"escrow.recon_break", "escrow.state_log", "exchange.event"}
BREAKS = {"STATEMENT_GAP", "BALANCE_NOT_CHAINED", "BALANCE_MISMATCH"}
TAKEN, REFUSED = {"accepted", "duplicate"}, {"refused", "quarantined"}


def check(world: World, played: Played) -> None:
    """Compare everything that the side file says, and note the differences on `played`."""
    told = played.example
    for name, value in told.expected.items():
        if name in COMPARE:
            _try(played, name, COMPARE[name], world, value)
        elif name not in PROSE and name not in EFFECT_KEYS:
            played.differences.append(f"nothing compares {name!r}")
    _try(played, "kind", _kind, world, told.kind)
    effect = EFFECTS.get(told.name[:3])
    if effect is not None:
        _try(played, "effect", effect, world, None)
    elif EFFECT_KEYS & set(told.expected):
        played.differences.append("nothing looks at its effect")


def _try(played: Played, name: str, compare: Callable[..., None], world: World, value: Any) -> None:
    try:
        if value is None and name == "effect":
            compare(world, played)
        else:
            compare(world, played, value)
    except Exception as error:  # whatever goes wrong while looking is a difference of this file
        first = str(error).splitlines()[0][:400] if str(error) else "is not so"
        played.differences.append(f"{name}: {type(error).__name__} {first}")


def same(found: Any, wanted: Any) -> None:
    """Assert equality with both values in the message, also where pytest does not rewrite asserts."""
    assert found == wanted, f"{found!r} instead of {wanted!r}"


def _kind(world: World, played: Played, kind: str) -> None:
    line = played.line
    if kind != "invalid":
        assert line["result"] in TAKEN, f"{line['result']}: {line['findings'][:3]}"
        return
    assert line["result"] in REFUSED, line["result"]
    same(line["records"], 0)
    codes = {each["code"] for each in line["findings"]}
    allowed = BREAK if codes & BREAKS else set()
    same({name: n for name, n in played.changed.items() if name not in allowed}, {})
    alarmed = line["result"] == "quarantined" or any("alarm" in each["action"] for each in line["findings"])
    same(bool(played.alarms), alarmed)
    (row,) = world.rows("SELECT content_hash, state FROM exchange.inbox WHERE id = :id", id=played.inbox)
    assert (
        bytes(row["content_hash"]) == hashlib.sha256(played.example.path.read_bytes()).digest()
        and row["state"] == line["result"].upper()
    )


def _report(world: World, played: Played, report: list[dict[str, Any]]) -> None:
    found = {(each["code"], each["path"]): each for each in played.line["findings"]}
    same(sorted(found), sorted((each["code"], each["path"]) for each in report))
    for each in report:
        ours = found[each["code"], each["path"]]
        for name in ("found", "expected", "partner_code", "action"):
            if (each["code"], name) not in OTHER_WORDS:
                same((each["code"], name, ours[name]), (each["code"], name, str(each[name])))


def _stored(world: World, played: Played, stored: dict[str, Any]) -> None:
    same(stored, {"raw_message": True, "claims": 0, "registry_rows": 0, "escrow_postings": 0})
    same(world.claims(played), [])


def _accepted(world: World, played: Played, wanted: int) -> None:
    same(played.line["records"], wanted)


def _rejected(world: World, played: Played, wanted: int) -> None:
    same(played.line["rejected_records"], wanted)


def _parked(world: World, played: Played, wanted: int) -> None:
    same(played.line["parked"], wanted)


def _cases(world: World, played: Played, wanted: int) -> None:
    same(len({each["native_id"] for each in world.claims(played)}), wanted)


def _parsed(world: World, played: Played, parsed: list[dict[str, Any]]) -> None:
    """Values as they are recorded, by the keys that the side file names."""
    claims = world.claims(played)
    for each in parsed:
        fields = {c["field"]: c["value"] for c in claims if c["native_id"] == each["native_id"]}
        people = fields.get("parties") or []
        names = [_plain(p["name"]) for p in people]
        seen = {
            "case_no": next((c["sub_id"] or fields.get("case_number") for c in claims if c["native_id"] == each["native_id"]), None),
            "cause": fields.get("cause"),
            "amount_fen": fields.get("claimed_fen"),
            "parties": names,
            "name": names[0] if names else None,
            "first_party": names[0] if names else None,
            "id": people[0].get("id_number") if people else None,
            "date": fields.get("opened_on") or fields.get("occurred_on"),
            "deadline": fields.get("limit_date"),
        }  # fmt: skip
        for key, value in each.items():
            if key == "parties":
                value, seen[key] = sorted(map(_plain, value)), sorted(seen[key])
            if key == "case_no":
                value, seen[key] = _number(value), _number(seen[key])
            if key != "native_id":
                same((each["native_id"], key, seen[key]), (each["native_id"], key, value))


def _plain(name: str) -> str:
    return "".join(name.split())


def _number(text: Any) -> str:
    return str(text).replace("（", "(").replace("）", ")")


def _normalised(world: World, played: Played, normalised: list[dict[str, Any]]) -> None:
    claims = world.claims(played)
    noted = {(note["found"], note["expected"]) for note in played.line["notes"]}
    for each in normalised:
        if (each.get("found"), each.get("value")) in noted:
            continue
        if "value_fen" in each:
            assert each["value_fen"] in [c["value"] for c in claims if c["field"] == "claimed_fen"], each
        else:
            assert [
                c for c in claims if c["raw"] == each["found"] and str(c["value"]).startswith(each["value"])
            ], each


def _two_numbers(world: World, played: Played, keys: list[str]) -> None:
    for key in keys:
        numbers = {c["sub_id"] for c in world.claims(played) if c["native_id"] == key}
        assert len(numbers) == 2, f"{key} has {numbers}"


def _repeats(world: World, played: Played, wanted: int) -> None:
    """Rows that an earlier page held as well: the same statement is kept once."""
    rows = world.rows(
        "SELECT count(*) AS n FROM registry.statement WHERE message = :m", m=played.inbox
    )  # fmt: skip
    assert played.line["records"] - rows[0]["n"] in (0, wanted)


def _reply(world: World, played: Played, reply: Any) -> None:
    ours = played.line["meta"].get("reply") or played.line["answer"]
    same(re.sub(r"^HTTP ", "", str(ours)), str(reply))


def _reply_code(world: World, played: Played, code: str) -> None:
    answer = played.line["answer"]
    assert answer == code or f'"code":"{code}"' in answer, answer


def _alarms(world: World, played: Played, alarms: list[dict[str, Any]]) -> None:
    same([each["kind"] for each in played.alarms], [each["code"] for each in alarms])
    for ours, each in zip(played.alarms, alarms, strict=True):
        same(ours["detail"], {"confirmed_fen": each["confirmed_fen"], "agreed_fen": each["agreed_fen"]})
        assert ours["subject"] in world.dispute(each["native_id"])["people"] or ours["subject"] in [
            e["native_id"] for e in world.dispute(each["native_id"])["episodes"]
        ]


def _meta(key: str, place: Callable[[dict[str, Any]], Any]) -> Callable[[World, Played, Any], None]:
    def compare(world: World, played: Played, wanted: Any) -> None:
        same((key, place(played.line["meta"])), (key, wanted))

    return compare


def _outcome(world: World, played: Played, wanted: str) -> None:
    """The first word of the side file's sentence is the outcome; where it names two, ours is one of them."""
    meta = played.line["meta"]
    ours = [each["outcome"] for each in [*meta["outcomes"], *meta["returns"]]]
    allowed = re.findall(r"ACCEPTED|DONE|UNKNOWN|REFUSED|IN_PROCESS|NOT_SENT|RETURNED", wanted)
    if allowed[:2] == ["RETURNED", "DONE"]:
        allowed = ["RETURNED"]
    assert len(ours) == 1 and ours[0] in allowed, f"{ours} instead of {wanted}"


def _per_tx(world: World, played: Played, wanted: dict[str, str]) -> None:
    same({each["number"]: each["rail_status"] for each in played.line["meta"]["outcomes"]}, wanted)


def _per_order(world: World, played: Played, wanted: dict[str, str]) -> None:
    meta = played.line["meta"]
    ours = {each["number"]: each["rail_status"] for each in meta["outcomes"]}
    ours.update({each["number"]: f"{each['outcome']} (after query)" for each in meta["returns"]})
    same(ours, wanted)
    same(meta["ask"], list(wanted))
    same(played.changed.get("escrow.entry", 0), 0)


def _amount(world: World, played: Played, wanted: int) -> None:
    meta = played.line["meta"]
    awards = [c["data"]["total_fen"] for c in world.claims(played) if "total_fen" in c["data"]]
    sums = [each["fen"] for each in meta.get("outcomes", [])] + [
        each["fen"] for each in meta.get("entries", [])
    ]
    assert wanted in [*sums, *awards], f"{wanted} is not in {[*sums, *awards]}"


def _sum(world: World, played: Played, wanted: int) -> None:
    meta = played.line["meta"]
    same(meta["sent_fen"] or meta["lines_fen"], wanted)


COMPARE: dict[str, Callable[..., None]] = {
    "report": _report,
    "stored": _stored,
    "accepted_records": _accepted,
    "rejected_records": _rejected,
    "parked": _parked,
    "cases": _cases,
    "parsed": _parsed,
    "normalised": _normalised,
    "same_ajbs_two_ah": _two_numbers,
    "repeats_from_page1": _repeats,
    "reply": _reply,
    "reply_code": _reply_code,
    "alarms": _alarms,
    "parts": _meta("zip_parts", lambda m: m["zip_parts"]),
    "cursor": _meta("cursor", lambda m: m["cursor"]),
    "total_fen": _meta("total_fen", lambda m: m["total_fen"]),
    "action": _meta("action", lambda m: m.get("action")),
    "outcome": _outcome,
    "order_id": _meta("reference", lambda m: m["outcomes"][0]["reference"]),
    "per_tx": _per_tx,
    "per_order": _per_order,
    "amount_fen": _amount,
    "sum_fen": _sum,
    "txs": _meta("sent", lambda m: len(m["sent"])),
    "entries": _meta("entries", lambda m: len(m["entries"])),
    "lines": _meta("lines", lambda m: m["lines"]),
    "suspense_entries": _meta("suspense_entries", lambda m: m["suspense_entries"]),
    "matched_by_account": _meta("matched_by_account", lambda m: m["matched_by_account"]),
    "opening_fen": _meta("opening_fen", lambda m: m["statements"][0]["opening_fen"]),
    "closing_fen": _meta("closing_fen", lambda m: m["statements"][0]["closing_fen"]),
    "proves": _meta("proves", lambda m: m["proves"]),
}
# Expectations that an effect of that file looks at.
EFFECT_KEYS = {"effect", "unstable_factor", "duplicate_of", "parts_fen", "sign_vector", "request_secret_lives_s",
               "refresh_secret_lives_s"}  # fmt: skip
