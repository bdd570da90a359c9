"""A thousand and more messages of all partners: the published examples, and seeded rewrites of them.

A seed gives all messages of one round other people, numbers, sums and days, the same in all of them, so that what one
partner tells still belongs to what the others tell. Seals are made anew with the tests' own keys.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from connectors.arbitration_rest.hook_seal import HEADER, seal
from connectors.procuratorate_wss import names
from foundation.keys import KeyStore
from sandbox.rewrite import Rewriter
from tests.acceptance.example_files import OFFICE_RECORDS, Example, all_examples, in_order
from tests.connectors import jcy_side

COURT = "{http://dataexchange.court.gov.cn/2009/data}"
SEALED_AT = 1775000000
# What is published for tests, and set up in every sandbox.
HOOK_SECRET, PASSWORD = "test-only-arbitration-webhook", "test-only"
# Many rows make a message slow and tell nothing new: a rewritten batch keeps so many of them.
ROWS = 4
REWRITTEN = ("c01", "c02", "c03", "c04", "c05", "c06", "c10", "c14", "c15", "c16", "c20", "c21", "c23",
             "j01", "j02", "j03", "j04", "j05", "j06", "j07", "j08", "j09", "j10", "j11", "j12",
             "x01", "x02", "x03", "x04", "x05", "x06", "x07", "x08", "x09", "x10", "x11", "x12",
             "a01", "a02", "a03", "a04", "a05", "a07", "a08", "a09", "g05")  # fmt: skip


@dataclass(frozen=True)
class Message:
    """A file as its partner sends it."""

    partner: str
    name: str
    content: bytes


def trust(keys: KeyStore) -> None:
    """Register the key with which the rewritten messages are signed anew."""
    certificate = jcy_side.key_pair()[1].public_bytes(Encoding.PEM)
    keys.trust("procuratorate_wss", "of-the-test.crt", certificate)


def many(rounds: int, seed: int) -> list[Message]:
    """The examples that are to be taken, and ``rounds`` rewrites of those that tell the registry something."""
    taken = [each for each in in_order(all_examples()) if each.kind != "invalid"]
    messages = [Message(each.partner, each.name, each.path.read_bytes()) for each in taken]
    chosen = [each for each in taken if each.name[:3] in REWRITTEN]
    texts = {each.name: text_of(each) for each in chosen}
    for number in range(1, rounds + 1):
        rewriter = Rewriter(seed * 1000 + number, [*texts.values(), office_hints()])
        picks = Random(f"{seed}/{number}")
        for each in chosen:
            # A batch number is rewritten like any id, but for one with a hyphen, which would be the same in two rounds.
            text = re.sub(r"(?<=<batch>)[^<]*", f"SQTJ-{seed}-{number:04d}", rewriter.text(texts[each.name]))
            content = sealed(each, text, picks)
            messages.append(Message(each.partner, f"{number:03d}-{each.name}", content))
    return messages


def text_of(example: Example) -> str:
    """What there is to rewrite in a file: its text, or what lies inside its seal."""
    raw = example.path.read_bytes()
    if example.name.startswith("j"):
        return etree.tostring(jcy_side.payload_of(example.name), encoding="unicode")
    if is_hook(raw):
        return str(json.loads(raw)["body_text"])
    return raw.decode("gb18030" if b'ENCODING="GB18030"' in raw[:80].upper() else "utf-8")


def office_hints() -> str:
    """The office's people and sums, in the forms by which the rewriter finds them."""
    rows = list(csv.DictReader(io.StringIO(OFFICE_RECORDS.read_text("utf-8-sig"))))
    lines = []
    for row in rows:
        people = f"{row['applicants']}|{row['respondents']}".split("|")
        lines += [f"<Name>{name.strip()}<" for name in people if name.strip()]
        lines += [row["claimed_yuan"], row["agreed_yuan"]]
    return "\n".join(lines)


def is_hook(raw: bytes) -> bool:
    """Whether a file is a webhook: its headers and the exact text of its body."""
    return b'"body_text"' in raw


def sealed(example: Example, text: str, picks: Random | None = None) -> bytes:
    """A rewritten text as its partner sends it, sealed anew; with ``picks`` a large batch keeps a few of its rows."""
    if example.name.startswith("j"):
        payload = etree.fromstring(text)
        sent = payload.findtext(f"{names.collab('Head')}/{names.collab('SendTime')}")
        assert sent is not None
        return jcy_side.sign(payload, now=datetime.fromisoformat(sent).astimezone(UTC), password=PASSWORD)
    if is_hook(example.path.read_bytes()):
        body = text.encode()
        told = {
            "method": "POST",
            "path": "/hook",
            "headers": {HEADER: seal(body, HOOK_SECRET, SEALED_AT)},
            "body_text": text,
        }
        return json.dumps(told, ensure_ascii=False).encode()
    raw = text.encode("gb18030" if 'ENCODING="GB18030"' in text[:80].upper() else "utf-8")
    fewer = picks is not None and example.name.startswith(("c01", "c02"))
    return _fewer_rows(raw, picks) if picks is not None and fewer else raw


def _fewer_rows(raw: bytes, picks: Random) -> bytes:
    root = etree.fromstring(raw)
    rows = root.findall(f"{COURT}案件列表/{COURT}R") or root.findall(f"{COURT}data/{COURT}T_SQTJ_AJ")
    kept = set(picks.sample(range(len(rows)), ROWS))
    for place, row in enumerate(rows):
        if place not in kept:
            parent = row.getparent()
            assert parent is not None
            parent.remove(row)
    count = root.find(f"{COURT}批次信息/{COURT}记录数")
    if count is None:
        count = root.find(f"{COURT}brief/{COURT}count")
        data = root.find(f"{COURT}data")
        assert data is not None and count is not None
        count.text = str(len(data))
    else:
        count.text = str(ROWS)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
