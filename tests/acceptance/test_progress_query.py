"""The procuratorate asks where its case is: it is told the stage, and nothing else; of a strange case nothing."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from connectors.procuratorate_wss import names
from hub.filing import ingest_file
from tests.acceptance.example_files import all_examples
from tests.acceptance.example_world import PLAYED_AT, World, load_office, set_up
from tests.acceptance.many_messages import PASSWORD, trust
from tests.connectors import jcy_side


def test_the_stage_is_told(database_url: str, tmp_path: Path) -> None:
    world = World(set_up(database_url, tmp_path))
    trust(world.hub.keys)
    load_office(world.hub)
    world.take(next(each for each in all_examples() if each.name.startswith("j01")))

    def ask(number: str, message_id: str) -> dict:  # type: ignore[type-arg]
        query = etree.fromstring(
            f'<QueryProgress xmlns="{names.COLLAB}"><Head><MsgId>{message_id}</MsgId><Seq>99</Seq><SendOrg>330399J</SendOrg>'
            f"<SendTime>2026-04-01T09:00:00+08:00</SendTime></Head><CaseNo>{number}</CaseNo></QueryProgress>"
        )
        content = jcy_side.sign(query, password=PASSWORD)
        return ingest_file(world.hub, "procuratorate", "query", content, None, PLAYED_AT)

    told = ask("瓯栖检民支〔2026〕664号", "JM90001")
    assert told["result"] == "accepted" and told["records"] == 0
    assert set(told["reply"]) >= {"case_no", "stage", "stage_time"}
    assert told["reply"]["stage"] == world.dispute("瓯栖检民支〔2026〕664号")["stage"] == "AGREED"
    strange = ask("瓯栖检民支〔2026〕9999号", "JM90002")
    assert [each["partner_code"] for each in strange["findings"]] == ["J0404"]
    world.hub.engine.dispose()
