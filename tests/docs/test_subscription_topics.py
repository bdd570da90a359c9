"""The table of topics in the partners' page is the one that the hub works by."""

from __future__ import annotations

import re

import pytest

from hub.subscribing import topics
from tests.platform.tree import ROOT

pytestmark = pytest.mark.docs


def test_topics_are_documented() -> None:
    text = (ROOT / "docs" / "partner" / "subscriptions.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (\S+) \| ([\w, ]+) \|$", text, re.M)
    assert told == [
        (topic, each["zh"], ", ".join(each["fields"].split())) for topic, each in topics().items()
    ]
