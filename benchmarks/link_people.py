"""People of another country and century as registers would hold them, the truth beside: `rows(people, seed)`.

    python -m benchmarks.link_people PEOPLE SEED OUT.csv

Made-up English persons born 1600 to 1900: name, birth date, birth place, occupation; many values missing, several
records a person, typing errors, nicknames, titles, relatives of one name. Rates: link_people.toml.
"""

from __future__ import annotations

import csv
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

RATES: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
COLUMNS = ("record", "person", "first_name", "surname", "birth_date", "birth_place", "occupation")
MALE = (
    "John William Thomas George James Henry Charles Robert Joseph Edward Samuel Richard Arthur Frederick Alfred Walter "
    "Francis Benjamin Daniel David Philip Peter Edmund Hugh Ralph Roger Simon Nathaniel Jonathan Stephen Michael Andrew "
    "Matthew Mark Luke Christopher Nicholas Gilbert Humphrey Isaac Jacob Abraham Ambrose Augustus Bernard Cuthbert Edgar"
).split()
FEMALE = (
    "Mary Elizabeth Sarah Ann Jane Margaret Hannah Martha Catherine Alice Ellen Emma Harriet Charlotte Susan Frances "
    "Caroline Louisa Eleanor Rebecca Dorothy Florence Edith Ada Agnes Anne Beatrice Clara Constance Lucy Rachel Rose"
).split()
NICKNAMES = {
    "John": "Jack", "William": "Will", "Thomas": "Tom", "Henry": "Harry", "Charles": "Charlie", "Robert": "Bob",
    "Joseph": "Joe", "Edward": "Ned", "Samuel": "Sam", "Richard": "Dick", "Frederick": "Fred", "Alfred": "Alf",
    "Walter": "Wat", "Francis": "Frank", "Benjamin": "Ben", "Daniel": "Dan", "David": "Davy", "Nicholas": "Nick",
    "Mary": "Molly", "Elizabeth": "Betty", "Sarah": "Sally", "Margaret": "Peggy", "Catherine": "Kate", "Ellen": "Nell",
    "Susan": "Sue", "Frances": "Fanny", "Dorothy": "Dolly", "Eleanor": "Nora", "James": "Jim", "Christopher": "Kit",
}  # fmt: skip
SURNAMES = (
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker White Roberts Green "
    "Hall Wood Jackson Clarke Harrison Martin Cooper Ward Hill Morris Moore Clark Lee King Baker Morgan Allen Parker Cook "
    "Harris Turner Bennett Carter Phillips Mitchell Shaw Bailey Collins Richardson Cox Adams Marshall Ellis Webb Knight "
    "Fisher Barnes Mills Palmer Chapman Powell Rogers Hunt Mason Gibson Lloyd Murray Fox Stone Pearson Graham Holmes Rose "
    "Fletcher Harvey Barker Reynolds West Gray Dixon Hudson Burton Ford Cole Spencer Payne Bishop Webster Lawrence Dawson"
).split()
SYLLABLES = ("Ash Black Brad Car Chad Cham Dray East Fair Gold Har Hawk Hol Ing Kel Lang Mar Nor Oak Pem Rad Sel Thorn Wal "
             "Wen Whit").split()  # fmt: skip
ENDINGS = "bourne brook bury combe cott croft dale den field ford ham hurst leigh ley more ridge shaw stead ton well wick worth".split()
PLACES = [
    ("Exeter", "Devon"), ("Plymouth", "Devon"), ("London", "Middlesex"), ("London", "Middlesex"), ("London", "Middlesex"),
    ("Westminster", "Middlesex"), ("Bristol", "Gloucestershire"), ("Bath", "Somerset"), ("Wells", "Somerset"),
    ("Norwich", "Norfolk"), ("Ipswich", "Suffolk"), ("York", "Yorkshire"), ("Leeds", "Yorkshire"), ("Hull", "Yorkshire"),
    ("Manchester", "Lancashire"), ("Liverpool", "Lancashire"), ("Preston", "Lancashire"), ("Chester", "Cheshire"),
    ("Nottingham", "Nottinghamshire"), ("Derby", "Derbyshire"), ("Leicester", "Leicestershire"), ("Lincoln", "Lincolnshire"),
    ("Oxford", "Oxfordshire"), ("Cambridge", "Cambridgeshire"), ("Canterbury", "Kent"), ("Dover", "Kent"),
    ("Winchester", "Hampshire"), ("Southampton", "Hampshire"), ("Salisbury", "Wiltshire"), ("Durham", "Durham"),
    ("Newcastle upon Tyne", "Northumberland"), ("Carlisle", "Cumberland"), ("Worcester", "Worcestershire"),
]  # fmt: skip
OCCUPATIONS = (
    "politician clergyman painter writer lawyer soldier physician merchant engineer botanist architect composer actor "
    "printer poet naval-officer banker historian surgeon publisher schoolmaster farmer sculptor engraver cricketer"
).split()


@dataclass(frozen=True)
class Person:
    """What is true of a person."""

    key: str
    first: str
    surname: str
    born: date
    place: tuple[str, str]
    occupation: str


def rows(people: int, seed: int) -> Iterator[dict[str, str]]:
    """Records of COLUMNS, `person` being the truth, in no order of persons."""
    chance = Random(f"people|{seed}")
    persons: list[Person] = []
    for number in range(people):
        persons.append(_person(number, persons, chance))
    sizes, weights = zip(*RATES["people"]["records"], strict=True)
    told = []
    for person in persons:
        for _ in range(max(1, chance.choices(sizes, weights)[0] + chance.randint(-1, 1))):
            told.append(_record(person, chance))
    chance.shuffle(told)
    for number, row in enumerate(told):
        yield {"record": f"h{number}", **row}


def _person(number: int, others: list[Person], chance: Random) -> Person:
    surname = chance.choice(SYLLABLES) + chance.choice(ENDINGS)
    if chance.random() < 0.4:
        surname = SURNAMES[int(len(SURNAMES) * chance.random() ** 2)]
    names = MALE if chance.random() < 0.75 else FEMALE
    person = Person(
        f"Q{number}", names[int(len(names) * chance.random() ** 1.7)], surname,
        date(1600, 1, 1) + timedelta(days=chance.randrange(109_000)), chance.choice(PLACES),
        OCCUPATIONS[int(len(OCCUPATIONS) * chance.random() ** 1.5)],
    )  # fmt: skip
    draw = chance.random()
    if others and draw < RATES["people"]["relative"]:
        kin = chance.choice(others)
        person = replace(person, surname=kin.surname, place=kin.place)
        if chance.random() < 0.5:
            person = replace(
                person, first=kin.first, born=kin.born + timedelta(days=chance.randint(7_000, 13_000))
            )
    elif others and draw > 1 - RATES["people"]["twin"]:
        kin = chance.choice(others)
        person = replace(person, surname=kin.surname, place=kin.place, born=kin.born)
    return person


def _record(person: Person, chance: Random) -> dict[str, str]:
    wrong, missing = RATES["wrong"], RATES["missing"]

    def happens(error: str) -> bool:
        return bool(chance.random() < wrong[error])

    first, surname, place = person.first, person.surname, person.place[0]
    if happens("nickname"):
        first = NICKNAMES.get(first, first)
    if happens("initial"):
        first = first[0]
    if happens("middle_name"):
        first = f"{first} {chance.choice(MALE + FEMALE)}"
    if happens("typo_first"):
        first = _typo(first, chance)
    if happens("married_name"):
        surname = chance.choice(SURNAMES)
    if happens("typo_surname"):
        surname = _typo(surname, chance)
    if happens("title"):
        first, surname = chance.choice(
            ((f"Sir {first}", surname), (first, f"{surname}, 1st Baron {surname}"))
        )
    if happens("swapped_names"):
        first, surname = surname, first
    if happens("place_coarser"):
        place = person.place[1]
    if happens("place_typo"):
        place = _typo(place, chance)
    occupation = chance.choice(OCCUPATIONS) if happens("other_occupation") else person.occupation
    row = {"person": person.key, "first_name": first, "surname": surname, "birth_date": _born(person.born, chance),
           "birth_place": place, "occupation": occupation}  # fmt: skip
    for name, rate in missing.items():
        if chance.random() < rate:
            row[name] = ""
    return row


def _born(born: date, chance: Random) -> str:
    wrong = RATES["wrong"]
    if chance.random() < wrong["year_only"]:
        return str(born.year)
    if chance.random() < wrong["new_year"]:
        born = date(born.year, 1, 1)
    text = born.isoformat()
    if chance.random() < wrong["day_month_swapped"] and born.day <= 12:
        text = date(born.year, born.day, born.month).isoformat()
    if chance.random() < wrong["digit_of_date"]:
        place = chance.choice((2, 3, 6, 9))
        text = text[:place] + chance.choice("123456789") + text[place + 1 :]
    elif chance.random() < wrong["other_form"]:
        text = chance.choice((f"{born.day} {born:%B} {born.year}", f"{born:%d/%m/%Y}"))
    return text


def _typo(text: str, chance: Random) -> str:
    place = chance.randrange(len(text))
    letter = chance.choice("abcdefghijklmnoprstuvwy")
    return chance.choice(
        (
            text[:place] + text[place + 1 :], text[:place] + letter + text[place:], text[:place] + letter + text[place + 1 :],
            text[:place] + text[place + 1 : place + 2] + text[place : place + 1] + text[place + 2 :],
        )
    )  # fmt: skip


def write(people: int, seed: int, out: Path) -> int:
    """Write the records as CSV. Returns their number."""
    told = list(rows(people, seed))
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(told)
    return len(told)


if __name__ == "__main__":
    print(write(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])), "records")
