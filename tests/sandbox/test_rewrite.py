"""A rewritten story: nothing of the old people and numbers is left, all is consistent, valid, and adds up."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from lxml import etree

from sandbox.court.batch import read_root
from sandbox.rewrite import rewrite_story
from sandbox.rewrite_sums import derivations, new_sums
from sandbox.rewrite_values import source
from schemas.identifiers import check_credit_code, check_resident_id, luhn

ROOT = Path(__file__).parents[2] / "sandbox"
PACK = ROOT / "story_pack/contract/scenarios"
FOLDERS = sorted(
    path.parent for path in [*PACK.glob("*/expected.json"), *ROOT.glob("stories/own/*/expected.json")]
)
SCHEMA = etree.XMLSchema(etree.parse(ROOT / "court/contract/court-data.xsd"))
TOKENS = re.compile(r"[\w.·\-*〔〕()（）:+]+")
PERSONAL = (
    r"(?<!\d)330399(?:19|20)\d{9}[\dX](?!\d)",
    r"(?<!\d)3399\d{14}(?!\d)",
    r"(?<!\d)100\d{8}(?!\d)",
    r"(?<!\d)99(?!00339900000100000)\d{16,17}(?!\d)",
    r"XF330399\d{11}",
    r"ARB-2026-\d{6}",
    r"91330399[0-9A-Z]{10}",
    r"\d{3,}号",
)


def table_for(folder: Path) -> Path:
    own = folder / "disputes.csv"
    return own if own.exists() else PACK / "disputes.csv"


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()):
        text = path.read_text("utf-8")
        if path.suffix == ".form":
            text = "\n".join(value for name, value in parse_qsl(text) if name != "sign")
        yield path.name, re.sub(r"[A-Za-z0-9+/]{60,}={0,2}", "", text)


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def story(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_seed_0_changes_nothing(story: Path, tmp_path: Path) -> None:
    rewrite_story(story, table_for(story), tmp_path, 0)
    for path in story.iterdir():
        if path.name != "disputes.csv":
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    kept = {row["dispute"]: row for row in csv.DictReader((tmp_path / "disputes.csv").open(encoding="utf-8"))}
    whole = {row["dispute"]: row for row in csv.DictReader(table_for(story).open(encoding="utf-8"))}
    assert kept and all(whole[key] == row for key, row in kept.items())


@pytest.mark.parametrize("seed", [1, 12, 4711])
def test_consistent_valid_and_nothing_old_left(story: Path, tmp_path: Path, seed: int) -> None:
    rewriter = rewrite_story(story, table_for(story), tmp_path / "new", seed)
    rewrite_story(story, table_for(story), tmp_path / "same", 0)
    old, new = dict(texts(tmp_path / "same")), dict(texts(tmp_path / "new"))
    assert old.keys() == new.keys()
    whole_old, whole_new = "\n".join(old.values()), "\n".join(new.values())
    for form in PERSONAL:
        assert not set(re.findall(form, whole_old)) & set(re.findall(form, whole_new)), form
    for name in rewriter.names:
        assert name not in whole_new
    for number in set(re.findall(PERSONAL[0], whole_new)):
        assert check_resident_id(number) is None
    for code in set(re.findall(r"91330399[0-9A-Z]{10}", whole_new)):
        assert check_credit_code(code) is None
    one_to_one(old, new)


def one_to_one(old: dict[str, str], new: dict[str, str]) -> None:
    """The same old word becomes the same new word everywhere, and two old words never become one."""
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    for name in old:
        pairs = list(zip(TOKENS.findall(old[name]), TOKENS.findall(new[name]), strict=True))
        for before, after in pairs:
            if before != after:
                assert there.setdefault(before, after) == after, (name, before)
                if not re.fullmatch(r"\d+(\.\d+)?", before):
                    assert back.setdefault(after, before) == before, (name, before, after)
    for before, after in there.items():
        if re.fullmatch(r"99\d{16,17}", before) and luhn(before):
            assert luhn(after), (before, after)


def sums_of(step: dict[str, Any]) -> list[int]:
    """The sums that a step's action names, in fen."""
    return [int(each.replace(".", "")) for each in re.findall(r"\d+\.\d{2}", step["action"] or "")]


@pytest.mark.parametrize("seed", [1, 12, 4711])
def test_sums_and_days(story: Path, tmp_path: Path, seed: int) -> None:
    rewriter = rewrite_story(story, table_for(story), tmp_path, seed)
    told = json.loads((story / "expected.json").read_text("utf-8"))
    made = json.loads((tmp_path / "expected.json").read_text("utf-8"))
    rows = {row["dispute"]: row for row in csv.DictReader((tmp_path / "disputes.csv").open(encoding="utf-8"))}
    for old, new in zip(told["steps"], made["steps"], strict=True):
        before, after = date.fromisoformat(old["at"][:10]), date.fromisoformat(new["at"][:10])
        assert (after - before).days == 7 * rewriter.weeks != 0 and old["at"][10:] == new["at"][10:]
        for case, figures in new["escrow"].items():
            fen = {key: value for key, value in figures.items() if key.endswith("_fen")}
            if "funded_fen" not in fen:  # the parent account: suspense only
                continue
            assert fen["funded_fen"] == fen["balance_fen"] + fen["released_fen"] + fen["refunded_fen"]
            assert (fen["funded_fen"] == int(rows[case]["agreed_fen"])) == (
                old["escrow"][case]["funded_fen"] == agreed_before(story, case)
            )
        sums, sums_before = sums_of(new), sums_of(old)
        if len(sums) > 1:
            agreed = int(rows[next(iter(new["registry"]))]["agreed_fen"])
            whole = sum(sums_before) == agreed_before(story, next(iter(old["registry"])))
            assert (sum(sums) == agreed) == whole
        assert [flag.split(":")[0] for flag in old["flags"]] == [flag.split(":")[0] for flag in new["flags"]]


def agreed_before(story: Path, case: str) -> int:
    rows = {row["dispute"]: row for row in csv.DictReader(table_for(story).open(encoding="utf-8"))}
    return int(rows[case]["agreed_fen"])


@pytest.mark.parametrize("seed", [1, 12])
def test_files_stay_what_they_are(story: Path, tmp_path: Path, seed: int) -> None:
    rewrite_story(story, table_for(story), tmp_path, seed)
    for path in sorted(story.iterdir()):
        new = (tmp_path / path.name).read_bytes()
        if path.suffix == ".json":
            json.loads(new)
        if path.suffix == ".xml":
            before, after = read_root(path.read_bytes()), read_root(new)
            assert before is not None and after is not None
            assert [each.tag for each in before.iter()] == [each.tag for each in after.iter()]
            assert SCHEMA.validate(before) == SCHEMA.validate(after)
            balances_add_up(after)


def balances_add_up(root: etree._Element) -> None:
    """Opening balance and entries make the closing balance; a file's control sum is the sum of its payments."""
    space = {"d": etree.QName(root).namespace or "-"}

    def fen(path: str) -> list[int]:
        return [int(each.text.replace(".", "")) for each in root.iterfind(path, space) if each.text]

    opening = fen(".//d:Bal[d:Tp]/d:Amt")
    if root.find(".//d:Stmt", space) is not None and len(opening) == 2:
        moved = 0
        for entry in root.iterfind(".//d:Ntry", space):
            amount = int((entry.findtext("d:Amt", "0", space)).replace(".", ""))
            moved += amount if entry.findtext("d:CdtDbtInd", "", space) == "CRDT" else -amount
        assert opening[0] + moved == opening[1]
    for control in fen(".//d:GrpHdr/d:CtrlSum"):
        assert control == sum(fen(".//d:InstdAmt"))


def test_two_seeds_differ_and_one_seed_repeats(tmp_path: Path) -> None:
    made = []
    for place, seed in enumerate((5, 6, 5)):
        rewrite_story(PACK / "S01", PACK / "disputes.csv", tmp_path / str(place), seed)
        made.append({path.name: path.read_bytes() for path in (tmp_path / str(place)).iterdir()})
    assert made[0] == made[2]
    assert all(made[0][name] != made[1][name] for name in made[0])


def test_derived_sums_follow_their_parts() -> None:
    amounts = {3067266, 3067268, 6134532, 6134534, 9201800}
    made_of = derivations(amounts)
    assert made_of[6134532] == (3067266, 3067266) and made_of[3067268] is None
    new = new_sums(amounts, source(3, "x", ""))
    assert new[9201800] == 2 * new[3067266] + new[3067268] and new[6134534] == new[3067266] + new[3067268]
    assert all((old > 5_000_000) == (made > 5_000_000) for old, made in new.items())
