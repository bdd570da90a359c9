"""The published examples about other people, with other numbers, ids and days, give the correspondingly changed results.

Text, side file and the office's records are rewritten by one seed; what the contracts sealed is sealed anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundation import embedded_postgres
from hub.office_import import import_records
from sandbox.rewrite import Rewriter
from tests.acceptance.example_checks import check
from tests.acceptance.example_files import OFFICE_RECORDS, Example, all_examples, in_order
from tests.acceptance.example_world import PLAYED_AT, World, play, set_up
from tests.acceptance.many_messages import office_hints, sealed, text_of, trust
from tests.conftest import fresh_database

pytestmark = pytest.mark.slow
# What cannot be written anew without the partner's own key, is no text, or is wrong just by its digits or its digest.
BOUND = {"c07", "c08", "c09", "c11", "c12", "c13", "c22", "c25", "c27", "c28",
         "j13", "j14", "j15", "j16", "j17", "j18", "j20", "j21", "j22", "j23", "j24",
         "x04", "x13", "x15", "x17", "x18", "x20", "x22", "a11", "a12", "a15", "a16", "a20", "a21",
         "b14", "b15", "b16", "b17", "b18", "g01", "g02"}  # fmt: skip
NEEDS_BOUND = {"c21"}  # stale only after c07


def rewritten(seed: int, folder: Path) -> tuple[Rewriter, str, list[Example]]:
    """The rewriter, the office's records, and the examples with their side files."""
    chosen = [
        each
        for each in in_order(all_examples())
        if each.partner != "alipay" and each.name[:3] not in BOUND | NEEDS_BOUND
    ]
    texts = {each.name: text_of(each) for each in chosen}
    told = {each.name: json.dumps(each.told, ensure_ascii=False) for each in chosen}
    office = OFFICE_RECORDS.read_text("utf-8-sig")
    rewriter = Rewriter(seed, [*texts.values(), office_hints(), office, *told.values()])
    rewriter.sums.clear()  # sums of many files hang together in more ways than a seed can keep
    made = []
    for each in chosen:
        path = folder / each.name
        path.write_bytes(sealed(each, rewriter.text(texts[each.name])))
        side = json.loads(rewriter.text(told[each.name]))
        if "reply_code" in side["expected"]:  # looks like an id, and is none
            side["expected"]["reply_code"] = each.expected["reply_code"]
        made.append(Example(each.partner, path, side))
    return rewriter, rewriter.text(office), made


@pytest.mark.parametrize("seed", [5, 6])
def test_rewritten_examples_are_recorded_as_their_side_files_say(
    cluster: embedded_postgres.Cluster, template: str, tmp_path: Path, seed: int
) -> None:
    (tmp_path / "files").mkdir()
    rewriter, office, examples = rewritten(seed, tmp_path / "files")
    assert len(examples) >= 80
    later = PLAYED_AT.replace(year=PLAYED_AT.year + 1)
    with fresh_database(cluster, template, later) as url:
        hub = set_up(url, tmp_path / "var")
        trust(hub.keys)
        assert import_records(hub, office)["refused"] == []
        world = World(hub, renamed=rewriter.text)
        play(world, examples, check)
        hub.engine.dispose()
    wrong = [f"{name}: {line}" for name, played in world.played.items() for line in played.differences]
    assert not wrong, "\n".join(wrong)
