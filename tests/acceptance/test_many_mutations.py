"""The long run of bad input: more than 20,000 mutations against the SOAP services, in bounded memory and time."""

from __future__ import annotations

import secrets

import psutil
import pytest

from tests.acceptance.conftest import Api
from tests.acceptance.test_bad_input import judge
from tests.acceptance.test_soap_mutations import CASES, attacks

pytestmark = pytest.mark.long
ALL_SERVICES = 20_400
GROWS_AT_MOST_MB = 200


def resident_mb(api: Api) -> float:
    """Memory of the API's process, found by the port it listens on."""
    port = int(api.hub.url.rsplit(":", 1)[1])
    for process in psutil.process_iter():
        try:
            listens = [each for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        except psutil.Error:
            continue
        if any(each.laddr.port == port for each in listens):
            return float(process.memory_info().rss / 1_048_576)
    raise AssertionError("nobody listens there")


@pytest.mark.parametrize("case", CASES)
def test_thousands_of_mutations(api: Api, case: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    sender, contents, wrap = CASES[case]
    many = ALL_SERVICES // len(CASES)
    judge(api, sender, attacks(sender, contents(), wrap, seed, 200))  # caches are filled
    before = resident_mb(api)
    wrong = judge(api, sender, attacks(sender, contents(), wrap, seed + 1, many))
    grown = resident_mb(api) - before
    print(f"{many} mutations, memory grew by {grown:.0f} MB")
    assert not wrong, f"seed {seed + 1}\n" + "\n".join(wrong[:50])
    assert grown < GROWS_AT_MOST_MB
