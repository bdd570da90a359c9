"""What an example must bring about, looked at right after it was taken: registry, petitions, arbitration, gateway.

The side files say it in words, so each file has its own look; money is in example_money.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import case_registry
from tests.acceptance import example_money as money
from tests.acceptance import example_tokens as tokens
from tests.acceptance.example_world import Played, World

Effect = Callable[[World, Played], None]


# -- court -------------------------------------------------------------------------------------------------


def nil_is_not_told(world: World, played: Played) -> None:
    """xsi:nil makes no claim; joined names become parties."""
    claims = world.claims(played)
    joined = world.renamed("339920269905003688")
    assert "closed_on" not in {
        c["field"] for c in claims if c["native_id"] == world.renamed("339920269901002329")
    }
    people = next(c["value"] for c in claims if c["native_id"] == joined and c["field"] == "parties")
    wanted = {world.renamed(name) for name in ("王斌玉", "叶刚华", "温州后垟和医院（有限合伙）")}
    assert wanted <= {p["name"] for p in people}


def court_withdrawn(world: World, played: Played) -> None:
    told = played.example.expected["effect"]
    episode = world.episode(told["native_id"])
    assert episode["state"] == told["court_episode"] and episode["withdrawn"]
    assert episode["fields"], "its claims are gone"
    (row,) = world.rows("SELECT event_at FROM registry.statement WHERE message = :m", m=played.inbox)
    assert row["event_at"] == told["withdrawn_at"], row["event_at"]
    others = [e for e in world.dispute(told["native_id"])["episodes"] if e["agency"] != "court"]
    assert others and not any(e["withdrawn"] for e in others)


def withdrawal_waits(world: World, played: Played) -> None:
    (row,) = world.rows(
        "SELECT parked, source_case FROM registry.statement WHERE message = :m", m=played.inbox
    )
    (case,) = world.rows("SELECT dispute FROM registry.source_case WHERE id = :id", id=row["source_case"])
    assert row["parked"] and case["dispute"] is None


def filed_again(world: World, played: Played) -> None:
    """The withdrawal of the first filing comes before the new one: one live proceeding is left."""
    claims = world.claims(played)
    key = next(c["native_id"] for c in claims if c["kind"] == "withdrawal")
    court = [e for e in world.dispute(key)["episodes"] if e["native_id"] == key]
    assert [e["withdrawn"] for e in court].count(False) == 1 and len(court) == 2


def row_is_believed(world: World, played: Played) -> None:
    assert world.claims(played)[0]["kind"] == "episode"
    kinds = [c["value"] for c in world.claims(played) if c["field"] == "proceeding_kind"]
    assert kinds == ["TRIAL"], kinds


def confirmation_refused(world: World, played: Played) -> None:
    told = played.example.expected["effect"]
    dispute = world.dispute(told["native_id"])
    results = [e["confirmation"]["result"] for e in dispute["episodes"] if e["confirmation"]]
    assert results == [told["judicial_confirmation"]] and "RELEASES_HELD" in dispute["flags"]
    office = [e for e in dispute["episodes"] if e["agency"] == "mediation"]
    assert [e["state"] for e in office] == ["AGREED"]  # not void by this alone


def enforcement(world: World, played: Played) -> None:
    told = played.example.expected["effect"]
    native_id = world.claims(played)[0]["native_id"]
    assert world.dispute(native_id)["stage"] == told["dispute_stage"]
    number = next(e["native_id"] for e in world.dispute(native_id)["episodes"] if e["agency"] == "mediation")
    assert world.case(number)["state"] == "ENFORCEMENT_REQUESTED"


def stale(world: World, played: Played) -> None:
    """Kept as a claim; what stands is what a later statement said."""
    claims = [c for c in world.claims(played) if c["field"]]
    assert claims
    native_id, sub_id = claims[0]["native_id"], claims[0]["sub_id"]
    fields = world.episode(native_id, sub_id)["fields"]
    others = world.rows(
        "SELECT DISTINCT m.field FROM registry.claim m JOIN registry.statement s ON s.id = m.statement JOIN registry.source_case c"
        " ON c.id = s.source_case WHERE c.native_id = :n AND s.sub_id = :sub AND s.message <> :m",
        n=native_id, sub=sub_id, m=played.inbox,
    )  # fmt: skip
    told_before = {row["field"] for row in others}
    assert told_before and not [
        name for name in told_before & set(fields) if fields[name]["message"] == played.inbox
    ], "a stale value stands"


def same_receipt(world: World, played: Played) -> None:
    first = next(p for p in world.played.values() if p.line["message_id"] == played.line["message_id"])
    assert played.line["result"] == "duplicate" and played.line["receipt_no"] == first.line["receipt_no"]
    assert set(played.changed) <= {"exchange.event"} and first is not played


# -- procuratorate -------------------------------------------------------------------------------------------


def protected_people(world: World, played: Played) -> None:
    people = next(c["value"] for c in world.claims(played) if c["field"] == "parties")
    assert people[0]["extra"]["protected"] and not people[0]["id_number"] and people[0]["phone"]
    assert any(note["code"] == "FIELD_MISSING" for note in played.line["notes"])


def sealed(world: World, played: Played) -> None:
    native_id = world.claims(played)[0]["native_id"]
    assert world.dispute(native_id)["sealed"] and world.episode(native_id)["hidden"]
    court = world.look(lambda uow: case_registry.dispute(uow, native_id, viewer="court_feed"))
    assert native_id not in [e["native_id"] for e in court["episodes"]] and court["hidden_episodes"] == 1


def version_two(world: World, played: Played) -> None:
    """The later version stands, and both are kept."""
    (parsed,) = played.example.expected["parsed"]
    _stands(world, played, parsed["native_id"], parsed["amount_fen"])


def _stands(world: World, played: Played, native_id: str, fen: int | None = None) -> None:
    fields = world.episode(native_id)["fields"]
    assert fields["claimed_fen"]["message"] == played.inbox
    assert fen is None or fields["claimed_fen"]["value"] == fen
    assert len(_statements(world, native_id)) >= 2


def _statements(world: World, native_id: str) -> list[Any]:
    return world.rows(
        "SELECT s.id, s.message FROM registry.statement s JOIN registry.source_case c ON c.id = s.source_case"
        " WHERE c.native_id = :n",
        n=native_id,
    )


def withdrawn(world: World, played: Played) -> None:
    told = played.example.expected["effect"]
    episode = world.episode(told["native_id"])
    assert episode["state"] == told["episode"], episode["state"]
    if told.get("mediation"):  # it had begun by itself, so it goes on
        office = [e for e in world.dispute(told["native_id"])["episodes"] if e["agency"] == "mediation"]
        assert [e["state"] for e in office] == ["AGREED"]


def gap_on_purpose(world: World, played: Played) -> None:
    meta = played.line["meta"]
    assert (meta["gap"], meta["cursor"]) == ([51, 52], 53) and "ask" not in meta


# -- petition ------------------------------------------------------------------------------------------------


def no_number(world: World, played: Played) -> None:
    claims = world.claims(played)
    assert not [c for c in claims if c["field"] == "claimed_fen"]
    assert [c["value"] for c in claims if c["field"] == "claimed_text"]


def masked_id(world: World, played: Played) -> None:
    person = next(c["value"] for c in world.claims(played) if c["field"] == "parties")[0]
    assert (
        person.get("masked_id") and not person.get("id_number") and person["name"] == person["name"].strip()
    )


def not_told(world: World, played: Played) -> None:
    """'' and null are both "not told": no blank claim. An anonymised name keeps its 某 and links nothing."""
    claims = world.claims(played)
    assert not [c for c in claims if c["field"] and c["value"] is None]


def update(world: World, played: Played) -> None:
    _stands(world, played, world.claims(played)[0]["native_id"])


def old_version(world: World, played: Played) -> None:
    native_id = world.claims(played)[0]["native_id"]
    fields = world.episode(native_id)["fields"]
    later = {row["message"] for row in _statements(world, native_id)} - {played.inbox}
    assert later and not [name for name, each in fields.items() if each["message"] == played.inbox]


def repeat(world: World, played: Played) -> None:
    told = played.example.expected["effect"]
    native_id = world.claims(played)[0]["native_id"]
    dispute = world.dispute(native_id)
    assert told["same_dispute_as"] in [e["native_id"] for e in dispute["episodes"]]
    assert "REPEAT:1" in dispute["flags"] and played.changed.get("registry.dispute", 0) == 0


def unmarked_repeat(world: World, played: Played) -> None:
    """The same person, opponent and matter: no second dispute is opened silently, whatever the clerk ticked."""
    dispute = world.dispute(world.claims(played)[0]["native_id"])
    petitions = [e for e in dispute["episodes"] if e["agency"] == "petition"]
    assert len(petitions) > 1 or dispute["proposals"]
    assert played.changed.get("registry.dispute", 0) == 0


def group(world: World, played: Played) -> None:
    claims = {c["field"]: c["value"] for c in world.claims(played)}
    assert claims["people_count"] == 7 and claims["group_flag"] is True, str(claims)
    petitioners = [p for p in claims["parties"] if p["role"] == "applicant"]
    assert [(p["name"], p["id_number"]) for p in petitioners] == [
        (world.renamed("章雪刚"), world.renamed("330399196802123259"))
    ]
    factor = world.dispute(world.claims(played)[0]["native_id"])["factor"]
    # A visit of long ago has left the window of U04; the number of people stays.
    assert factor and {"U01", "U04"} & {each["id"] for each in factor["indicators"]}, str(factor)


# -- arbitration ---------------------------------------------------------------------------------------------


def hint_only(world: World, played: Played) -> None:
    """relatedMediation is typed by hand: kept as a hint."""
    rows = world.rows("SELECT refs FROM registry.statement WHERE message = :m", m=played.inbox)
    refs = [ref for row in rows for ref in row["refs"]]
    assert refs and all(ref["strength"] == "hint" for ref in refs if ref["kind"] == "mediation_number")


def suspended(world: World, played: Played) -> None:
    native_id = world.claims(played)[0]["native_id"]
    clocks = [c for c in world.dispute(native_id)["clocks"] if c["native_id"] == native_id]
    assert world.episode(native_id)["state"] == "SUSPENDED" and "SUSPENDED" in {c["state"] for c in clocks}


def hole(world: World, played: Played) -> None:
    native_id = world.claims(played)[0]["native_id"]
    assert played.line["meta"]["hole"] == [3, 4] and played.line["meta"]["ask"] == {
        "kind": "case",
        "cursor": native_id,
    }
    assert world.episode(native_id)["state"] == "SUSPENDED"  # no end state yet
    assert {"SEQ_HOLE:3", "SEQ_HOLE:4"} <= set(world.dispute(native_id)["flags"])


def same_event_again(world: World, played: Played) -> None:
    assert played.line["result"] == "duplicate" and set(played.changed) <= {"exchange.event"}


def award(world: World, played: Played) -> None:
    (held,) = world.episode(world.claims(played)[0]["native_id"])["awards"]
    assert held["total_fen"] == played.example.expected["amount_fen"]


def corrected(world: World, played: Played) -> None:
    """The amount is that of the correction, which counts from its own day."""
    claims = world.claims(played)
    (held,) = world.episode(claims[0]["native_id"])["awards"]
    told = next(c["data"] for c in claims if c["kind"] == "award")
    assert (
        held["corrects"]
        and held["total_fen"] == told["total_fen"]
        and held["counts_from"] == told["issued_on"]
    )


def ledger(world: World, played: Played) -> None:
    """The award of one of its cases was told before under the commission's own key: now it is known whose it is, and that
    it overlaps the agreement."""
    dispute = world.dispute("瓯栖调〔2026〕南屏1076号")
    assert "OVERLAP:682979" in dispute["flags"] and dispute["escrow"]["state"] == "SUSPENDED"
    ids = [p.get("id_number") for c in world.claims(played) if c["field"] == "parties" for p in c["value"]]
    assert "33039919550614590X" in ids and "合计" not in {c["native_id"] for c in world.claims(played)}


def ledger_floats(world: World, played: Played) -> None:
    assert all(isinstance(c["value"], int) for c in world.claims(played) if c["field"] == "claimed_fen")
    assert not any("[" in c["native_id"] for c in world.claims(played))


EFFECTS: dict[str, Effect] = {
    "c02": nil_is_not_told, "c03": court_withdrawn, "c04": withdrawal_waits, "c07": filed_again,
    "c10": row_is_believed, "c16": confirmation_refused, "c17": money.frozen, "c18": money.waits_behind,
    "c19": money.next_in_line, "c20": enforcement, "c21": stale, "c25": same_receipt,
    "j02": protected_people, "j04": sealed, "j11": version_two, "j12": withdrawn, "j22": gap_on_purpose,
    "x02": no_number, "x03": masked_id, "x05": not_told, "x06": not_told, "x07": update, "x08": old_version, "x09": repeat,
    "x10": unmarked_repeat, "x11": withdrawn, "x12": group,
    "a02": hint_only, "a04": suspended, "a05": hole, "a06": same_event_again, "a07": award, "a08": corrected, "a09": withdrawn,
    "a20": ledger, "a21": ledger_floats,
    "b01": money.entered, "b02": money.words, "b03": money.first_file_stands, "b06": money.proved, "b07": money.break_opened,
    "b08": money.break_opened, "b09": money.forecast, "b10": money.return_announced, "b11": money.return_proved,
    "b19": money.two_cases, "b20": money.short_payment, "b23": money.reversed_credit, "b24": money.not_found,
    "p11": money.transfer_entered, "p14": money.new_number, "p15": money.same_number, "p20": money.order_stays,
    "p23": money.contradiction, "p28": money.query_once,
    "g01": tokens.token, "g02": tokens.token, "g07": tokens.page_end,
}  # fmt: skip
