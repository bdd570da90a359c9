"""The table of whereabouts, exhaustively, and the flags of the stories that the registry decides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case_registry.episodes import Episode
from case_registry.flags import flags, overlap_fen, repeat_count
from case_registry.told import Best, Told
from case_registry.whereabouts import SIGNS, STAGES, Held, Outside, by_signs, primary, rules, whereabouts

COMPLETED = {"state": "COMPLETED", "flags": []}


def held(
    kind: str, state: str = "OPEN", agency: str = "", native: str = "", sub: str = "", **fields: Any
) -> Held:
    at = str(fields.pop("at", "2026-03-01"))
    told = Told(0, sub, "episode", at, native, at, datetime(2026, 4, 1, tzinfo=UTC), UUID(int=0))
    agencies = {"PETITION": "petition", "MEDIATION": "mediation", "ARBITRATION": "arbitration"}
    whose = agency or agencies.get(
        kind, "procuratorate" if kind in ("CRIMINAL_RECONCILIATION", "SUPPORT_PROSECUTION") else "court"
    )
    extra = {k: fields.pop(k) for k in ("confirmation", "awards", "holes") if k in fields}
    best = {name: Best(value, 0, told) for name, value in {"state": state, **fields}.items()}
    return Held(whose, (whose, native or kind), Episode(sub, kind, state, best, told, told, **extra))


AGREED = held("MEDIATION", "AGREED", agreed_on="2026-04-02", agreed_fen=3161800)
CONFIRMED = held("CONFIRMATION", "CLOSED", confirmation={"result": "CONFIRMED"})
REFUSED = held("CONFIRMATION", "CLOSED", confirmation={"result": "REFUSED"})
PETITION = held("PETITION", "REFERRED", holder="瓯栖县司法局")
HANDED = held("PETITION", "REFERRED", holder="瓯栖县江蓠镇人民调解委员会")
FAILED = [held("PRE_LITIGATION_MEDIATION", "FAILED"), held("MEDIATION", "FAILED")]

CASES: list[tuple[str, list[Held], Outside, tuple[str, str]]] = [
    ("nothing", [], Outside(), ("NONE", "-")),
    ("S01.1", [PETITION], Outside(), ("IN_PETITION", "petition")),
    ("S01.2", [HANDED], Outside(), ("MEDIATING", "mediation")),
    ("S01.3", [HANDED, AGREED], Outside(), ("AGREED", "mediation")),
    ("S01.6", [HANDED, AGREED, CONFIRMED], Outside({"state": "PART_FUNDED"}), ("CONFIRMED", "mediation")),
    ("S01.12", [HANDED, AGREED, CONFIRMED, held("ENFORCEMENT")], Outside({"state": "DEFAULTED"}), ("ENFORCEMENT", "court")),
    ("S02.1", [held("PRE_LITIGATION_MEDIATION")], Outside(), ("MEDIATING", "mediation")),
    ("S02.2", [held("PRE_LITIGATION_MEDIATION"), held("MEDIATION", "FAILED")], Outside(), ("MEDIATION_FAILED", "mediation")),
    ("S02.3", [held("PRE_LITIGATION_MEDIATION", "FAILED"), held("MEDIATION", "FAILED")], Outside(), ("MEDIATION_FAILED", "court")),
    ("S02.3 alone", [held("PRE_LITIGATION_MEDIATION", "FAILED")], Outside(), ("MEDIATION_FAILED", "court")),
    ("S02.4", [*FAILED, held("TRIAL")], Outside(), ("IN_COURT", "court")),
    ("S02.6", [*FAILED, held("TRIAL", "CLOSED")], Outside(), ("CLOSED", "court")),
    ("S03.1", [held("ARBITRATION")], Outside(), ("IN_ARBITRATION", "arbitration")),
    ("S03.2", [held("ARBITRATION"), AGREED], Outside({"state": "OPEN"}), ("AGREED", "mediation")),
    ("S03.4", [held("ARBITRATION", "AWARDED"), AGREED], Outside({"state": "SUSPENDED"}), ("AGREED", "mediation")),
    ("S03.9", [held("ARBITRATION", "WITHDRAWN"), AGREED], Outside(COMPLETED), ("CLOSED", "mediation")),
    ("S07.2", [held("ARBITRATION"), PETITION], Outside(), ("IN_ARBITRATION", "arbitration")),
    ("S07.7", [held("ARBITRATION", "AWARDED"), PETITION, held("SUPPORT_PROSECUTION", "REFERRED")], Outside(), ("AWARDED", "arbitration")),
    ("S08.1", [held("CRIMINAL_RECONCILIATION", "REFERRED")], Outside(), ("MEDIATING", "mediation")),
    ("S08.8", [held("CRIMINAL_RECONCILIATION", "REFERRED"), AGREED], Outside(COMPLETED, 1), ("AGREED", "mediation")),
    ("S08.9", [held("CRIMINAL_RECONCILIATION", "REFERRED"), AGREED], Outside(COMPLETED), ("CLOSED", "mediation")),
    ("S10.2", [AGREED, REFUSED], Outside({"state": "SUSPENDED"}), ("CONFIRMATION_REFUSED", "mediation")),
    ("S10.3", [held("MEDIATION", "OPEN", agreed_on=None), REFUSED], Outside({"state": "SUSPENDED"}), ("MEDIATING", "mediation")),
    ("S11.4", [PETITION, held("TRIAL", "WITHDRAWN")], Outside(), ("IN_PETITION", "petition")),
    ("sued after", [AGREED, held("TRIAL", opened_on="2026-05-01")], Outside(), ("IN_COURT", "court")),
    ("sued before", [AGREED, held("TRIAL", opened_on="2026-01-01")], Outside(), ("AGREED", "mediation")),
    ("judged after", [AGREED, held("TRIAL", "CLOSED", opened_on="2026-05-01")], Outside(), ("CLOSED", "court")),
    ("settled", [held("MEDIATION", "CLOSED", agreed_on="2026-04-02")], Outside(), ("CLOSED", "mediation")),
    ("settled, money open", [held("MEDIATION", "CLOSED", agreed_on="2026-04-02")], Outside({"state": "FUNDED"}), ("AGREED", "mediation")),
    ("suspended for mediation", [held("ARBITRATION", "SUSPENDED"), held("MEDIATION")], Outside(), ("MEDIATING", "mediation")),
    ("suspended", [held("ARBITRATION", "SUSPENDED")], Outside(), ("IN_ARBITRATION", "arbitration")),
    ("failed, petition never left", [PETITION, held("MEDIATION", "FAILED")], Outside(), ("MEDIATION_FAILED", "petition")),
    ("failed, petition handed", [HANDED, held("MEDIATION", "FAILED")], Outside(), ("MEDIATION_FAILED", "mediation")),
    ("judged, petitioned again", [held("TRIAL", "CLOSED"), PETITION], Outside(), ("IN_PETITION", "petition")),
    ("mediation begins", [held("MEDIATION", "REGISTERED"), PETITION], Outside(), ("MEDIATING", "mediation")),
    ("fifth agency hands over", [held("OTHER", "REFERRED", "land")], Outside(), ("MEDIATING", "mediation")),
    ("fifth agency", [held("OTHER", "OPEN", "land")], Outside(), ("WITH_AGENCY", "land")),
    ("all over", [held("PETITION", "CLOSED", at="2026-05-01"), held("TRIAL", "WITHDRAWN")], Outside(), ("CLOSED", "petition")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "episodes", "outside", "expected"), CASES, ids=[c[0] for c in CASES])
def test_stage_and_holder(
    name: str, episodes: list[Held], outside: Outside, expected: tuple[str, str]
) -> None:
    found = whereabouts(episodes, outside)
    assert (found.stage, found.holder) == expected
    assert whereabouts(episodes[::-1], outside) == found


def test_every_rule_is_used_by_a_case_and_every_stage_has_a_rule() -> None:
    used = {whereabouts(episodes, outside).why for _, episodes, outside, _ in CASES}
    assert used == {rule.why for rule in rules()}
    assert {rule.stage for rule in rules()} == set(STAGES)


@given(st.fixed_dictionaries({name: st.booleans() for name in SIGNS}))
def test_the_table_answers_whatever_the_signs(signs: dict[str, bool]) -> None:
    assert by_signs(signs, [PETITION]).stage in STAGES


def shown(episodes: list[Held], outside: Outside = Outside(), **more: Any) -> list[str]:  # noqa: B008
    return flags(episodes, outside, stage=whereabouts(episodes, outside).stage, **more)


def test_two_tracks_and_overlap_end_with_the_arbitration() -> None:
    award = held("ARBITRATION", "AWARDED", awards=({"total_fen": 1580900},))
    assert shown([held("ARBITRATION"), AGREED]) == ["TWO_TRACKS"]
    assert shown([award, AGREED]) == ["TWO_TRACKS", "OVERLAP:1580900"]
    assert (
        overlap_fen([held("ARBITRATION", "AWARDED", awards=({"total_fen": 99_000_000},)), AGREED]) == 3161800
    )
    gone = held("ARBITRATION", "WITHDRAWN", awards=({"total_fen": 1580900},), holes=(3,))
    assert shown([gone, AGREED]) == ["SEQ_HOLE:3"]
    assert shown([gone, AGREED], Outside(COMPLETED)) == []


def test_petitions_beside_arbitration() -> None:
    petitions = [held("PETITION", native=str(n)) for n in range(3)]
    assert shown([held("ARBITRATION"), petitions[0]]) == ["PETITION_WHILE_OPEN"]
    assert shown([held("ARBITRATION"), *petitions], unstable=True) == [
        "PETITION_WHILE_OPEN",
        "REPEAT:2",
        "UNSTABLE",
    ]
    supports = held("SUPPORT_PROSECUTION", "REFERRED")
    assert shown([held("ARBITRATION"), *petitions, supports], unstable=True) == [
        "REPEAT:2",
        "UNSTABLE",
        "PROCURATORATE_SUPPORTS",
    ]
    assert shown([held("ARBITRATION", "AWARDED"), petitions[0]]) == []
    assert repeat_count([held("PETITION", repeat_flag=True)]) == 1 and repeat_count([held("PETITION")]) == 0


def test_court_withdraws_after_the_money_left() -> None:
    gone = held("PRE_LITIGATION_MEDIATION", "WITHDRAWN")
    assert shown([gone, AGREED], Outside({"state": "RELEASING", "in_transit_fen": 5})) == [
        "COURT_WITHDRAWN",
        "MONEY_IN_FLIGHT",
    ]
    assert shown([gone, AGREED], Outside(COMPLETED)) == ["COURT_WITHDRAWN"]
    assert shown([held("TRIAL", "WITHDRAWN"), PETITION]) == []


def test_flags_of_others_come_along_once() -> None:
    escrow = {"state": "SUSPENDED", "flags": ["HOLD:5", "PAYEE_DEAD"]}
    assert shown([AGREED], Outside(escrow), parked=1, gaps=1, by_hand=["HOLD:5", "X"]) == [
        "PARKED:1",
        "GAP",
        "HOLD:5",
        "PAYEE_DEAD",
        "X",
    ]


def test_one_proceeding_told_twice_counts_once() -> None:
    feed = held(
        "TRIAL",
        "CLOSED",
        native="3399",
        sub="(2026)浙0399民初1号",
        at="2026-05-01",
        case_number="(2026)浙0399民初1号",
    )
    sheet = held(
        "TRIAL", "OPEN", native="（2026）浙0399民初1号", at="2026-05-09", case_number="（2026）浙0399民初1号"
    )
    silent = Held(sheet.agency, sheet.case, Episode("", "TRIAL", "OPEN", {k: v for k, v in sheet.episode.fields.items() if k != "state"},
                                                    sheet.episode.last, sheet.episode.first))  # fmt: skip
    assert primary([feed, silent]) == [feed] == primary([silent, feed])
    assert primary([feed, sheet]) == [sheet], "both tell a state: the later fact"
    assert len(primary([PETITION, held("PETITION", native="other")])) == 2
