"""What the gateway's examples must bring about: signatures of tokens, ends of pages."""

from __future__ import annotations

import json

from connectors.provincial_gateway.tokens import sign
from tests.acceptance.example_world import Played, World


def token(world: World, played: Played) -> None:
    told = played.example.expected
    vector = told["sign_vector"]
    first = next(
        p for p in world.played.values() if "request_secret_lives_s" in p.example.expected
    ).example.expected
    published = first["sign_vector"]
    secrets = json.loads(
        next(p for p in world.played.values() if p.example.expected is first).example.path.read_bytes()
    )
    key = published["appSecret"] if "appSecret" in vector else secrets["datas"]["refreshSecret"]
    assert sign(published["appKey"], key, vector["requestTime"]) == vector["sign"]
    kept = played.line["meta"].get("keeps_refresh_secret")
    assert kept is ("appSecret" not in vector)
    if "request_secret_lives_s" in told:
        made = int(vector["requestTime"])
        lives = [
            (secrets["datas"][name] - made) // 1000
            for name in ("requestSecretEndTime", "refreshSecretEndTime")
        ]
        assert lives == [told["request_secret_lives_s"], told["refresh_secret_lives_s"]]


def page_end(world: World, played: Played) -> None:
    assert played.line["meta"]["page_end"] is True
