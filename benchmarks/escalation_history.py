"""Made-up disputes with planted escalations, day by day: `history(number, seed)`; rates in escalation_history.toml.

What nobody sees (heat) drives signs and escalations alike, with noise on both: hot disputes that stay quiet, suits out of
nowhere, noted threats that nobody made, messages late or never told. Nothing here knows signs, weights or the model.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from schemas.claims import Claim, PartyClaim, Record
from schemas.identifiers import resident_check_digit

RATES: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
FIRST: date = RATES["first_day"]
LAST: date = RATES["last_day"]
AGENCY = {"PETITION": "petition", "MEDIATION": "mediation", "PRE_LITIGATION_MEDIATION": "court", "TRIAL": "court",
          "ARBITRATION": "arbitration"}  # fmt: skip


@dataclass(frozen=True)
class Telling:
    """What an agency told, and the day on which it became known."""

    known_on: date
    agency: str
    record: Record


@dataclass
class History:
    """One dispute, followed until `ends`. `notes`: (day, indicator, word); `gaps`: days of alarms; `summaries`: (day known,
    escrow's summary); `planted`: each escalation that happened, told or not."""

    number: int
    county: str
    kind: str
    heat: float
    many: bool
    ends: date
    tellings: list[Telling] = field(default_factory=list)
    notes: list[tuple[date, str, str]] = field(default_factory=list)
    gaps: list[date] = field(default_factory=list)
    summaries: list[tuple[date, dict[str, Any]]] = field(default_factory=list)
    planted: list[tuple[date, str]] = field(default_factory=list)


def history(number: int, seed: int) -> History:
    """The dispute of that number; the same for the same seed."""
    return _Course(number, Random(f"{seed}|{number}")).run()


class _Course:
    """One dispute as it goes on."""

    def __init__(self, number: int, rnd: Random) -> None:
        self.rnd = rnd
        kind = _one_of(rnd, {name: row["share"] for name, row in RATES["kind"].items()})
        self.row = RATES["kind"][kind]
        self.begun = FIRST + timedelta(days=rnd.randrange((LAST - FIRST).days))
        self.ends = min(LAST, self.begun + timedelta(days=RATES["longest_days"]))
        self.h = History(number, _one_of(rnd, RATES["counties"]), kind, rnd.betavariate(*self.row["heat"]),
                         rnd.random() < self.row["group"], self.ends)  # fmt: skip
        self.people = 5 + int(rnd.expovariate(1 / 12)) if self.h.many else rnd.randint(1, 3)
        self.parties = tuple(_person(number, side) for side in ("applicant", "respondent"))
        self.fen = rnd.randint(*self.row["sum"]) * 100
        self.serial = 0
        self.petitions: list[date] = []
        self.felt: list[tuple[date, str]] = []

    def run(self) -> History:
        course, rnd = RATES["course"], self.rnd
        day, first = self.begun, _one_of(rnd, course["starts_with"])
        if first == "PETITION":
            day = self._proceeding("PETITION", day, course["mediation_days"], "CLOSED")
            day += timedelta(days=rnd.randint(0, 5))
            self._maybe_gap(day)
        closed = None
        for turn in range(course["most_rounds"]):
            kind = first if turn == 0 and first != "PETITION" else "MEDIATION"
            agreed = rnd.random() < course["agreed"] - course["cooler"] * self.h.heat
            day = self._proceeding(kind, day, course["mediation_days"], "AGREED" if agreed else "FAILED")
            if agreed:
                closed = self._performs(day)
                break
            self.felt.append((day, "failed"))
            if not self._goes_on(day):
                break
            day += timedelta(days=rnd.randint(*course["pause_days"]))
        self._daily(closed or self.ends)
        for _ in range(rnd.random() < RATES["noise"]["wrong_indicator"]):
            self._note(self._some_day(self.begun, closed or self.ends), "U05", "words")
        if self.h.kind == "LABOUR" and rnd.random() < RATES["noise"]["arrears_noted"]:
            self._note(self.begun + timedelta(days=rnd.randint(1, 20)), "U07", "people5_or_days30")
        self.h.tellings.sort(key=lambda t: t.known_on)
        return self.h

    # -- what happens ---------------------------------------------------------------------------------------

    def _goes_on(self, day: date) -> bool:
        """After a failure: a suit, an arbitration, another mediation (true), or nothing."""
        course, rnd = RATES["course"], self.rnd
        if rnd.random() < course["suit_after_failure"] + course["suit_heat"] * self.h.heat:
            self._suit(day + timedelta(days=rnd.randint(*course["suit_days"])))
            return False
        if self.h.kind == "LABOUR" and rnd.random() < course["arbitration"]:
            self._maybe_gap(day)
            self._proceeding("ARBITRATION", day + timedelta(days=rnd.randint(3, 20)), [30, 60], "CLOSED")
            return False
        return rnd.random() < course["again"]

    def _performs(self, day: date) -> date | None:
        """An agreement is kept (then it is over), or not."""
        course, rnd = RATES["course"], self.rnd
        until = day + timedelta(days=rnd.randint(*course["performs_days"]))
        self._summary(day + timedelta(days=1), {"state": "OPEN", "flags": []})
        if rnd.random() < course["default"] + course["default_heat"] * self.h.heat:
            if self._plant(until, "default"):
                self.felt.append((until, "default"))
                self._summary(
                    until + timedelta(days=rnd.randint(1, 12)), {"state": "DEFAULT", "flags": ["DEFAULT:1"]}
                )
            return None
        self._summary(until, {"state": "COMPLETED", "flags": []})
        return until

    def _suit(self, day: date) -> None:
        if self._plant(day, "court"):
            self._proceeding("TRIAL", day, [40, 160], "CLOSED")

    def _daily(self, until: date) -> None:
        """Threats and the like, week by week, by how hot it is and what was just felt."""
        day = self.begun + timedelta(days=1)
        sued = any(kind == "court" for _, kind in self.h.planted)
        while day < until:
            for name, rate in RATES["daily"].items():
                chance = 7 * rate["base"] * (1 + rate["heat_times"] * self.h.heat**2)
                chance *= 1.0 if name in ("surprise", "online") else self._boost(day)
                if self.rnd.random() < chance and not (name == "surprise" and sued):
                    sued |= name == "surprise"
                    self._strikes(name, min(until, day + timedelta(days=self.rnd.randrange(7))))
            day += timedelta(days=7)

    def _boost(self, day: date) -> float:
        felt, boost = RATES["felt"], 1.0
        for name in {name for at, name in self.felt if 0 <= (day - at).days <= felt["days"]}:
            boost *= felt[name]
        return boost * (felt["group"] if self.h.many and self.h.kind == "LABOUR" else 1.0)

    def _strikes(self, name: str, day: date) -> None:
        if name == "repeat_petition":
            # The first petition is anybody's right and no escalation.
            if any(before < day for before in self.petitions):
                self._plant(day, name)
            self._proceeding("PETITION", day, RATES["course"]["mediation_days"], "CLOSED")
        elif name == "police_call":
            if self._plant(day, name):
                self._note(day + timedelta(days=self.rnd.randint(0, 4)), "U16", "police_call")
        elif name == "surprise":
            self._suit(day)
        else:
            self.felt += [(day, "threat")] * (name == "threat")
            self._note(
                day,
                *{"threat": ("U05", "words"), "bypass": ("U03", "petition"), "online": ("U20", "posts")}[
                    name
                ],
            )

    # -- what is told ---------------------------------------------------------------------------------------

    def _proceeding(self, kind: str, day: date, lasts: Sequence[int], ends: str) -> date:
        """Open and close one proceeding; returns the day it ended."""
        rnd, course = self.rnd, RATES["course"]
        self.serial += 1
        ident, limit = f"{kind[:2]}{self.h.number}-{self.serial}", day + timedelta(days=course["limit_days"])
        end = day + timedelta(days=rnd.randint(*lasts))
        if rnd.random() < RATES["noise"]["late"]:
            end = max(end, limit + timedelta(days=rnd.randint(1, 30)))
        if end > limit:
            self.felt.append((limit, "late"))
        if kind == "PETITION":
            self.petitions.append(day)
        place = "330302001" if rnd.random() < RATES["noise"]["other_county"] else f"{self.h.county}001"
        told: dict[str, Any] = {"proceeding_kind": kind, "cause": self.row["cause"], "opened_on": day.isoformat(),
                                "place_code": place, "claimed_fen": self.fen}  # fmt: skip
        if kind != "TRIAL":
            told["limit_date"] = limit.isoformat()
        if kind in ("PETITION", "MEDIATION"):
            told["people_count"] = self.people
        self._tell(kind, ident, 1, day, {**told, "state": "OPEN"})
        closed = {**told, "state": ends, "closed_on": end.isoformat()}
        if ends == "AGREED":
            closed |= {"agreed_on": end.isoformat(), "agreed_fen": self.fen}
        self._tell(kind, ident, 2, end, closed)
        return end

    def _tell(self, kind: str, ident: str, version: int, day: date, fields: dict[str, Any]) -> None:
        if day > self.ends:
            return
        known = self._known(day)
        if known is not None:
            agency = AGENCY[kind]
            record = Record("episode", ident, (version,), day.isoformat(), parties=self.parties,
                            claims=tuple(Claim(name, value) for name, value in fields.items()))  # fmt: skip
            self.h.tellings.append(Telling(known, agency, record))

    def _known(self, day: date) -> date | None:
        noise, rnd = RATES["noise"], self.rnd
        if rnd.random() < noise["never_told"]:
            return None
        late = noise["very_late_days"] if rnd.random() < noise["very_late"] else noise["late_told_days"]
        return day + timedelta(days=rnd.randint(*late))

    def _plant(self, day: date, kind: str) -> bool:
        """An escalation happens, if within the time the dispute is followed."""
        if day > self.ends:
            return False
        self.h.planted.append((day, kind))
        return True

    def _note(self, day: date, indicator: str, word: str) -> None:
        if day <= self.ends and self.rnd.random() >= RATES["noise"]["never_told"]:
            self.h.notes.append((day, indicator, word))

    def _summary(self, day: date, summary: dict[str, Any]) -> None:
        if day <= self.ends:
            self.h.summaries.append((day, summary))

    def _maybe_gap(self, day: date) -> None:
        if self.rnd.random() < RATES["noise"]["gap"]:
            self.h.gaps.append(day + timedelta(days=3))
            self.felt.append((day, "gap"))

    def _some_day(self, first: date, last: date) -> date:
        return first + timedelta(days=self.rnd.randrange(max(1, (last - first).days)))


def _one_of(rnd: Random, shares: dict[str, float]) -> str:
    return rnd.choices(list(shares), list(shares.values()))[0]


def _person(number: int, side: str) -> PartyClaim:
    """A made-up person of the made-up county; of no age that matters here."""
    serial = number * 2 + (side == "respondent")
    first = f"3303991980{1 + serial // 1000 % 12:02d}{1 + serial // 12_000 % 28:02d}{serial % 1000:03d}"
    name = "王李张刘陈杨黄赵吴周"[serial % 10] + "伟芳娜敏静丽强磊军洋"[serial // 10 % 10]
    return PartyClaim(
        role=side, kind="person", name=name, key=side, id_number=first + resident_check_digit(first)
    )  # type: ignore[arg-type]
