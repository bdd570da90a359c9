"""Evidence from the exchange log: a download when it is ready, a page that says so while it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from foundation import cades
from foundation.timestamps import AUTHORITY
from foundation.verify_evidence import Trust, verify
from foundation.wire import Wire
from hub import sealing
from tests.console.world import County
from tests.exchange.authority import Authority


def test_the_container_is_downloaded_once_it_is_stamped(county: County, enter: Any, tmp_path: Path) -> None:
    keys = county.hub.keys
    cades.prepare(keys)
    message = county.quarantined()
    path = f"/exchange/in/{message}/evidence"
    operator = enter("operator1")
    assert path in operator.page(f"/exchange/in/{message}")
    assert "证据尚未生成" in operator.page(path, 422)
    enter("clerk1").page(path, 403)
    authority = Authority(tmp_path)
    authority.start()
    keys.trust(AUTHORITY, "root.crt", authority.keys.root.public_bytes(Encoding.PEM))
    (tmp_path / "partners.json").write_text(json.dumps({"timestamps": authority.url}))
    sealing.seal_all(county.hub)
    wire = Wire()
    assert sealing.stamp_waiting(county.hub, wire) > 0
    wire.close()
    authority.stop()
    answer = operator.client.get(path)
    assert (
        answer.status_code == 200 and f'filename="{message}.asice"' in answer.headers["content-disposition"]
    )
    report = verify(answer.content, Trust([keys.certificate(cades.EVIDENCE_KEY)], [authority.keys.root]))
    assert report.findings == [] and report.told["fate"] == "quarantined"
