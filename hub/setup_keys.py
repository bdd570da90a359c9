"""Set-up: keys and certificates of the hub, people who log in, and, in a sandbox, the stand-ins' addresses.

Safe to run again: what is there stays. Nothing secret is in the repository; all of it is made here, under var/.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from connectors import Connector, all_connectors
from escrow import all_rails
from foundation import cades, local_ca
from foundation.envelope import STORAGE_KEY
from foundation.keys import KeyStore
from foundation.settings import ROOT, Settings, settings
from foundation.staff import add_staff
from foundation.timestamps import AUTHORITY
from foundation.unit_of_work import unit_of_work
from hub.context import hub_of_process
from hub.known import secret_names

# Log-in name, name, office, roles: people of the made-up county.
PEOPLE = (
    ("clerk1", "林晓", "瓯栖县人民调解中心", ["intake_clerk"]),
    ("mediator1", "金杰", "瓯栖县石坦乡人民调解委员会", ["mediator"]),
    ("reviewer1", "陈娟", "瓯栖县人民调解中心", ["reviewer"]),
    ("cashier1", "周敏", "瓯栖县司法局", ["cashier"]),
    ("cashier2", "吴芳", "瓯栖县司法局", ["cashier"]),
    ("checker1", "郑强", "瓯栖县司法局", ["checker"]),
    ("releaser1", "王琳", "瓯栖县司法局", ["releaser"]),
    ("supervisor1", "叶青", "瓯栖县联合督查办", ["supervision_officer"]),
    ("auditor1", "项华", "瓯栖县审计局", ["auditor"]),
    ("operator1", "朱平", "瓯栖县数据局", ["operator", "administrator"]),
)


def main() -> None:
    """Make everything that is missing."""
    found = settings()
    keys = KeyStore(found.key_dir)
    keys.make_pair("hub", "concord hub")
    local_ca.prepare(keys, found.tls_names, datetime.now(UTC))
    keys.make_secret(STORAGE_KEY)
    cades.prepare(keys)
    for adapter in all_connectors().values():
        keys.make_pair(adapter.id, f"concord to {adapter.id}")
    for rail in all_rails().values():
        keys.make_pair(rail.id, f"concord to {rail.id}")
    if found.sandbox:
        _sandbox(found, keys)
    _people(found)


def _people(found: Settings) -> None:
    """People with passwords made here; written to ``var/run/logins.json`` for the one who runs this copy."""
    path = found.var_dir / "run" / "logins.json"
    logins: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    hub = hub_of_process()
    with unit_of_work(hub.engine) as uow:
        there = {row["id"] for row in uow.all("SELECT id FROM exchange.staff LIMIT 10000")}
        for staff_id, name, org, roles in PEOPLE:
            if staff_id in there and staff_id in logins:
                continue
            logins.setdefault(staff_id, secrets.token_urlsafe(9))
            add_staff(uow, staff_id, name, org, roles, logins[staff_id])
    _write_private(path, json.dumps(logins, ensure_ascii=False, indent=1))


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _sandbox(found: Settings, keys: KeyStore) -> None:
    """Bring hub and stand-ins together: addresses both ways, certificates both ways, shared test secrets."""
    home = found.var_dir / "sandbox"
    # The stand-ins make their own keys, in their own process: the hub shares no code with them.
    subprocess.run(
        [sys.executable, "-m", "sandbox.prepare", "--var", str(found.var_dir)],
        check=True,
        timeout=120,
        cwd=ROOT,
    )
    credentials = json.loads((home / "credentials.json").read_text(encoding="utf-8"))
    endpoints: dict[str, str] = {}
    urls: dict[str, str] = {}
    for adapter in all_connectors().values():
        stand_in = _stand_in(adapter, set(credentials))
        if not stand_in:
            continue
        if adapter.client is not None:
            path = adapter.manifest.get("sandbox", {}).get("path", f"/{stand_in}")
            urls[adapter.id] = f"http://127.0.0.1:{found.port('sandbox_partners')}{path}"
        if adapter.service is not None:
            for endpoint in adapter.service.ENDPOINTS:
                address = f"/partners/{adapter.id}{endpoint.path}"
                endpoints.setdefault(stand_in, address)
                endpoints[f"{stand_in}.{endpoint.operation}"] = address
        _share_secrets(keys, adapter, credentials[stand_in])
        _register(keys, home, adapter.id, stand_in, adapter.folder)
        trusted = home / stand_in / "trusted"
        trusted.mkdir(parents=True, exist_ok=True)
        (trusted / "hub.crt").write_bytes(
            keys.certificate(adapter.id).public_bytes(serialization.Encoding.PEM)
        )
    for rail in all_rails().values():
        stand_in = str(rail.manifest.get("sandbox", ""))
        if stand_in:
            urls[rail.id] = f"http://127.0.0.1:{found.port('sandbox_bank')}/{stand_in}"
            endpoints[stand_in] = f"/rails/{rail.id}/{rail.manifest['callback']['path']}"
            _register(keys, home, rail.id, stand_in, rail.folder)
    urls[AUTHORITY] = f"http://127.0.0.1:{found.port('sandbox_partners')}/{AUTHORITY}"
    keys.trust(AUTHORITY, f"{AUTHORITY}.crt", (home / "certs" / f"{AUTHORITY}.crt").read_bytes())
    _write_json(home / "hub_endpoints.json", endpoints)
    # Addresses of partners that have no stand-in here were entered by the operator and stay.
    there = found.var_dir / "partners.json"
    entered = json.loads(there.read_text(encoding="utf-8")) if there.exists() else {}
    _write_json(there, {**entered, **urls})
    _export_certificates(keys, home / "hub_certs")


def _stand_in(adapter: Connector, known: set[str]) -> str:
    """Name of the stand-in that plays this partner: named by the manifest, or one of its plain names."""
    named = adapter.manifest.get("sandbox", {}).get("stand_in", "")
    if named:
        return str(named)
    return next((name for name in (adapter.agency, *adapter.aliases) if name in known), "")


def _share_secrets(keys: KeyStore, adapter: Connector, told: dict[str, str]) -> None:
    """Register the stand-in's shared secrets, or the test values that the partner's contract publishes."""
    published = adapter.manifest.get("sandbox", {}).get("secrets", {})
    for name, stored in secret_names(adapter).items():
        value = published.get(name) or told.get(name)
        if value:
            keys.put_secret(stored, str(value))


def _register(keys: KeyStore, home: Path, own_id: str, stand_in: str, folder: Path) -> None:
    """Trust the certificates that the stand-in has put out, and the contract's published test certificates."""
    put_out = sorted((home / "certs").glob(f"{stand_in}*.crt")) + sorted((home / stand_in).glob("*.crt"))
    for pem in put_out:
        root = "_root" if pem.stem.endswith("_root") else ""
        keys.trust(f"{own_id}{root}", pem.name, pem.read_bytes())
    for pem in sorted((folder / "contract" / "certs").glob("*.crt")):
        # Our own side's published test certificates are not theirs: files that we signed with them are known by these.
        ours = "_own" if "hub" in pem.name or "app" in pem.name else ""
        keys.trust(f"{own_id}{ours}", f"contract-{pem.name}", pem.read_bytes())


def _export_certificates(keys: KeyStore, folder: Path) -> None:
    """Put the hub's public certificates where each stand-in looks for them."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {each.id: each.manifest.get("sandbox", {}) for each in all_connectors().values()}
    wanted = {own: str(told.get("hub_certificate", own)) for own, told in named.items()}
    wanted.update(
        {each.id: str(each.manifest.get("hub_certificate", each.id)) for each in all_rails().values()}
    )
    for own, file_name in {"hub": "hub", **wanted}.items():
        pem = keys.certificate(own).public_bytes(serialization.Encoding.PEM)
        (folder / f"{file_name}.crt").write_bytes(pem)


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    part.rename(path)


if __name__ == "__main__":
    main()
