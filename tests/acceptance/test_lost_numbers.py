"""A lost webhook: the hub asks the commission for the case over the wire, and takes what it answers."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.arbitration_rest import mapping
from foundation.wire import Wire
from hub import asking
from tests.acceptance.example_files import all_examples
from tests.acceptance.example_world import World, set_up
from tests.connectors.answering_server import Answer, Call, answering

JSON = {"Content-Type": "application/json"}


def test_a_hole_makes_the_hub_fetch_the_case(database_url: str, tmp_path: Path) -> None:
    world = World(set_up(database_url, tmp_path))
    named = {each.name[:3]: each for each in all_examples()}
    for name in ("a03", "a04", "a05"):
        world.take(named[name])
    assert (
        world.episode(world.claims(world.played[named["a05"].name])[0]["native_id"])["state"] == "SUSPENDED"
    )
    told = json.loads(json.loads(named["a03"].path.read_bytes())["body_text"])["case"]
    told |= {"status": "AWARDED", "version": told["version"] + 9, "updatedAt": "2026-05-15T17:00:00+08:00"}
    calls: list[str] = []

    def answer(call: Call) -> Answer:
        calls.append(call.path)
        if "token" in call.path:
            return (
                200,
                JSON,
                json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 3600}).encode(),
            )
        return 200, JSON, json.dumps(told, ensure_ascii=False).encode()

    assert asking.work(world.hub, Wire()) == 0  # nobody answers there: it stays owed
    with answering(answer) as url:
        (tmp_path / "partners.json").write_text(json.dumps({mapping.PARTNER: url}), "utf-8")
        world.rows("UPDATE exchange.ask SET next_try = since RETURNING cursor")
        assert asking.work(world.hub, Wire()) == 1
        assert asking.work(world.hub, Wire()) == 0
    assert calls[-1] == f"/v1/cases/{told['caseId']}"
    episode = world.episode(told["caseId"])
    assert (episode["state"], episode["fields"]["state"]["told_at"][:10]) == ("AWARDED", "2026-05-15")
    world.hub.engine.dispose()
