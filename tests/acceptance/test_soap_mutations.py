"""Acceptance 7: a few hundred mutations of the published examples against the SOAP services."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.acceptance import mutations
from tests.acceptance.attacks import Attack
from tests.acceptance.conftest import Api
from tests.acceptance.senders import COURT, COURT_BATCH, PETITION, PROCURATORATE, Sender, etree
from tests.acceptance.test_bad_input import judge
from tests.connectors import court_side, jcy_side, petition_side

pytestmark = pytest.mark.slow
EACH_SERVICE = 80


def _court_documents() -> Iterator[bytes]:
    for name in court_side.FILES:
        if re.match(r"c(01|02|03|04|09|11|15|16|17|18|19|20|21|23|24)_.*\.xml", name):
            yield court_side.content(name)


def _in_a_batch(document: bytes, chance: Random) -> bytes:
    name = f"AJXX_export_20260401000000_20260401235959_3399_20260402010200_{chance.randrange(10**6)}.zip"
    archive = court_side.zipped({name.replace(".zip", ".xml"): document})
    return court_side.push(f"M{chance.randrange(10**12):012d}", archive, fileName=name).encode()


def _in_a_notice(document: bytes, chance: Random) -> bytes:
    text = document.decode("utf-8", "replace").replace("\x00", "")
    return court_side.notice(f"M{chance.randrange(10**12):012d}", text).encode("utf-8", "replace")


def _petition_examples() -> list[bytes]:
    names = [name for name in petition_side.FILES if re.match(r"x(0[1-47-9]|1[0-9]|20)_", name)]
    return [petition_side.content(name) for name in names]


def _signed(content: bytes, chance: Random) -> bytes:
    return jcy_side.sign(etree.fromstring(content))


def _as_it_is(content: bytes, chance: Random) -> bytes:
    return content


def _procuratorate_examples() -> list[bytes]:
    names = [path.name for path in sorted(jcy_side.EXAMPLES.glob("j*_submit_*.xml"))]
    names += ["j11_revise_v2.xml", "j12_revoke.xml", "j18_bad_id.xml", "j20_attachment_hash.xml"]
    return [etree.tostring(jcy_side.payload_of(name), encoding="utf-8") for name in names]


Wrap = Callable[[bytes, Random], bytes]
# Service, contents to change, how a changed content is sent; and whether the wire bytes are changed as well.
CASES: dict[str, tuple[Sender, Callable[[], list[bytes]], Wrap]] = {
    "court batches": (COURT_BATCH, lambda: list(_court_documents()), _in_a_batch),
    "court notices": (COURT, lambda: list(_court_documents()), _in_a_notice),
    "petition": (PETITION, _petition_examples, _as_it_is),
    "procuratorate": (PROCURATORATE, _procuratorate_examples, _signed),
}


def attacks(
    sender: Sender, contents: list[bytes], wrap: Wrap, seed: int, many: int = EACH_SERVICE
) -> Iterator[Attack]:
    """Mutations of these contents by the seed."""
    chance = Random(seed)
    for number in range(many):
        content = chance.choice(contents)
        headers = dict(sender.headers)
        if chance.random() < 0.5:
            headers.pop("SOAPAction", None)
        if number % 3 == 0:
            body = mutations.of_bytes(wrap(content, chance), chance)
        else:
            body = wrap(_without_declaration(mutations.of_tree(content, chance)), chance)
        yield Attack(f"mutation {number}", body, headers, must=False)


def _without_declaration(content: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + re.sub(rb"^<\?xml[^>]*\?>\s*", b"", content)


@pytest.mark.parametrize("case", CASES)
def test_mutations(api: Api, case: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    sender, contents, wrap = CASES[case]
    wrong = judge(api, sender, attacks(sender, contents(), wrap, seed))
    assert not wrong, f"seed {seed}\n" + "\n".join(wrong)
