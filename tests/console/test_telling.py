"""Lines of the timeline: in both languages, no code left bare."""

from __future__ import annotations

import re

import case_registry
from console.telling import line_text
from foundation.unit_of_work import unit_of_work
from tests.console.world import County


def test_every_line_reads_in_both_languages(county: County) -> None:
    number = county.petition(people_count=5)
    case_id = county.funded(1_000_000)
    county.act(lambda uow: case_registry.set_flag(uow, number, "GAP", "两家均未承接"))
    with unit_of_work(county.hub.engine) as uow:
        ours = case_registry.disputes_of(
            uow, str(uow.scalar("SELECT dispute FROM escrow.escrow_case WHERE id = :id", id=case_id))
        )
        lines = [line for each in (number, ours[0].number) for line in case_registry.timeline(uow, each)]
    assert {"told", "belongs", "escrow", "clock", "grade", "flag"} <= {line["what"] for line in lines}
    for line in lines:
        chinese = re.sub(r"\(20\d\d\).*|瓯栖.*", "", line_text(line, "zh"))
        assert not re.search(r"[A-Z]{3,}|[a-z]{4,}", chinese), chinese
        assert ":" in line_text(line, "en")
    shown = " ".join(line_text(line, "zh") for line in lines)
    assert "托管：足额到账 已到账 10,000.00" in shown and "风险等级：未评定 → 蓝 得分 25" in shown
