"""Every message that a partner sends in a story can be sent by its stand-in, as published and rewritten."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sandbox.rewrite import rewrite_story
from tests.sandbox.conftest import Listener, Sandbox

pytestmark = pytest.mark.slow

PACK = Path(__file__).parents[2] / "sandbox/story_pack/contract/scenarios"
PARTNERS = ("court", "petition", "procuratorate", "arbitration", "gateway")


@pytest.mark.parametrize("seed", [0, 9])
def test_all_go_out(sandbox: Sandbox, hub: Listener, tmp_path: Path, seed: int) -> None:
    numbers: set[str] = set()
    sent = 0
    for folder in sorted(path.parent for path in PACK.glob("*/expected.json")):
        target = tmp_path / "stories" / folder.name
        rewrite_story(folder, PACK / "disputes.csv", target, seed)
        for step in json.loads((target / "expected.json").read_text("utf-8"))["steps"]:
            if step["sender"] not in PARTNERS or not step["file"]:
                continue
            content = base64.b64encode((target / step["file"]).read_bytes()).decode()
            told = sandbox.order("emit", step["sender"], content_base64=content)
            assert told["status"] == 200
            numbers.add(f"{step['sender']} {told.get('message_id')}")
            sent += 1
    assert sent == 29 and len(numbers) == sent - 1  # S02 sends one batch twice
    assert len(hub.seen) == sent - 1  # the gateway's word waits in its register
