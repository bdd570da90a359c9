"""``./concord partner …``: enter partners, register and change keys, suspend, resume, call."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from foundation import partner_keys, partners
from foundation.actors import Actor
from foundation.partners import NewPartner
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import partner_call, partner_desk
from hub.cli.output import errors, print_json, table
from hub.context import hub_of_process
from schemas.findings import Refused

app = typer.Typer(no_args_is_help=True, help="Partners, their keys and limits. 伙伴、密钥与限额。")
Json = Annotated[bool, typer.Option("--json", help="one JSON document")]
Name = Annotated[str, typer.Argument(help="partner's id")]
Reason = Annotated[str, typer.Option(help="why, kept in the journal")]
Limit = Annotated[list[str], typer.Option(help="NAME=NUMBER, such as calls_per_s=50; several")]

BOTH = ["rest", "soap"]
SIGNED = ["http", "wss"]
NONE: list[str] = []


@contextmanager
def _work() -> Iterator[UnitOfWork]:
    """A unit of work of whoever sits at this machine; what is refused ends with exit code 1 and its words."""
    try:
        with unit_of_work(hub_of_process().engine, Actor(f"cli/{getpass.getuser()}")) as uow:
            yield uow
    except Refused as refused:
        for finding in refused.findings:
            errors.print(f"{finding.code}: {finding.text_en()}\n{finding.text_zh()}")
        raise typer.Exit(1) from None


@app.command("add", help="Enter a partner; writes what it needs into a folder. 登记伙伴。")
def add(
    partner_id: Annotated[str, typer.Argument(help="id: small letters, digits, _")],
    name: Annotated[str, typer.Option(help="the partner's name")],
    institution: Annotated[str, typer.Option(help="institution code")],
    agency: Annotated[str, typer.Option(help="kind of agency: court, arbitration, street …")],
    protocol: Annotated[list[str], typer.Option(help="rest, soap; several")] = BOTH,
    auth: Annotated[list[str], typer.Option(help="tls, http, wss, tls+http, tls+wss; several")] = SIGNED,
    deliver: Annotated[str, typer.Option(help="URL to which we deliver")] = "",
    limit: Limit = NONE,
    out: Annotated[Path | None, typer.Option(help="folder for what the partner needs")] = None,
    as_json: Json = False,
) -> None:
    """Exit 1 when it is refused."""
    hub = hub_of_process()
    with _work() as uow:
        told = NewPartner(
            partner_id, name, institution, agency, tuple(protocol), tuple(auth),
            {"deliver": deliver} if deliver else {}, partner_desk.limits_told(limit),
        )  # fmt: skip
        keys = partner_desk.add(hub, uow, told)
        folder = out or hub.settings.var_dir / "partners" / partner_id
        files = partner_desk.hand_out(hub, uow, partner_id, folder)
    result = {"partner": partner_id, "concord_keys": keys, "folder": str(folder), "files": files}
    if as_json:
        print_json(result)
    else:
        table(
            f"{partner_id}: give the partner this folder", ["file"], [[str(folder / file)] for file in files]
        )


@app.command("list", help="Every partner, its state and next key's end. 伙伴列表。")
def list_partners(as_json: Json = False) -> None:
    """Exit 0."""
    with _work() as uow:
        rows = partner_desk.listed(uow)
    columns = ["id", "name", "contract", "auth", "state", "failures", "key_ends", "last_error"]
    print_json(rows) if as_json else table(
        "partners", columns, [[each[name] for name in columns] for each in rows]
    )


@app.command("show", help="One partner with keys and limits. 查看伙伴。")
def show(partner_id: Name, as_json: Json = False) -> None:
    """Exit 1 when there is none of that id."""
    with _work() as uow:
        found = partner_desk.shown(uow, partner_id)
    if as_json:
        print_json(found)
        return
    table(partner_id, ["what", "value"], [[name, value] for name, value in found.items() if name != "keys"])
    _key_table(found["keys"])


@app.command(
    "keys", help="Register, issue or revoke a partner's keys; alone: show them. 登记、签发、吊销密钥。"
)
def keys(
    partner_id: Name,
    register: Annotated[
        Path | None, typer.Option(help="certificate or public key, PEM or DER", exists=True)
    ] = None,
    kind: Annotated[str, typer.Option(help="http, wss or tls")] = "http",
    key_id: Annotated[str, typer.Option(help="keyid on the wire; default: made from the fingerprint")] = "",
    request: Annotated[
        Path | None, typer.Option(help="CSR: issue and register a TLS certificate", exists=True)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="where the issued certificate is written")] = None,
    revoke: Annotated[str, typer.Option(help="id of the key to revoke, for good")] = "",
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Exit 1 when it is refused."""
    if kind not in partner_desk.KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(partner_desk.KINDS)}", param_hint="--kind")
    with _work() as uow:
        if register is not None:
            partner_keys.register_key(uow, partner_id, kind, register.read_bytes(), key_id=key_id)
        if request is not None:
            _, issued = partner_desk.certify(hub_of_process(), uow, partner_id, request.read_bytes())
            (out or request.with_suffix(".crt")).write_bytes(issued)
        if revoke:
            partner_keys.revoke_key(uow, revoke, reason)
        found = partner_desk.shown(uow, partner_id)["keys"]
    print_json(found) if as_json else _key_table(found)


def _key_table(found: list[dict[str, Any]]) -> None:
    columns = ["id", "side", "kind", "algorithm", "state", "valid_from", "valid_to", "days_left"]
    table("keys", columns, [[each[name] for name in columns] for each in found])


@app.command("rotate", help="A new key of ours, announced first, with overlap. 更换我方密钥。")
def rotate(
    partner_id: Name,
    kind: Annotated[str, typer.Option(help="http, wss or tls")] = "http",
    lead_days: Annotated[int, typer.Option(help="used after so many days", min=0, max=365)] = 7,
    overlap_days: Annotated[int, typer.Option(help="the former one stays good so long", min=0, max=365)] = 30,
    algorithm: Annotated[str, typer.Option(help="rsa-sha256, ecdsa-p256-sha256 or ed25519")] = "",
    out: Annotated[Path | None, typer.Option(help="folder for what the partner needs")] = None,
    as_json: Json = False,
) -> None:
    """Exit 1 when it is refused."""
    if kind not in partner_desk.KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(partner_desk.KINDS)}", param_hint="--kind")
    hub = hub_of_process()
    with _work() as uow:
        lead, overlap = timedelta(days=lead_days), timedelta(days=overlap_days)
        told = partner_desk.rotate(
            hub, uow, partner_id, kind, lead=lead, overlap=overlap, algorithm=algorithm
        )
        folder = out or hub.settings.var_dir / "partners" / partner_id
        files = partner_desk.hand_out(hub, uow, partner_id, folder)
    result = {**told, "folder": str(folder), "files": files}
    print_json(result) if as_json else table("rotate", ["what", "value"], [[k, v] for k, v in result.items()])


@app.command("change", help="Other address or limits. 修改地址与限额。")
def change(
    partner_id: Name,
    deliver: Annotated[str, typer.Option(help="URL to which we deliver")] = "",
    compare: Annotated[str, typer.Option(help="URL below which it answers the comparison of holdings")] = "",
    limit: Limit = NONE,
    as_json: Json = False,
) -> None:
    """Exit 1 when it is refused."""
    with _work() as uow:
        addresses = {name: url for name, url in (("deliver", deliver), ("compare", compare)) if url}
        partners.change(uow, partner_id, addresses=addresses, limits=partner_desk.limits_told(limit))
    show(partner_id, as_json)


@app.command("suspend", help="Take nothing more from it, send nothing more to it. 停用伙伴。")
def suspend(partner_id: Name, reason: Reason, as_json: Json = False) -> None:
    """Acts within a second in every process. Exit 1 when it is refused."""
    _turn(partner_id, reason, as_json, suspend=True)


@app.command("resume", help="End a suspension. 恢复伙伴。")
def resume(partner_id: Name, reason: Reason, as_json: Json = False) -> None:
    """What waited is sent. Exit 1 when it is refused."""
    _turn(partner_id, reason, as_json, suspend=False)


def _turn(partner_id: str, reason: str, as_json: bool, *, suspend: bool) -> None:
    with _work() as uow:
        partner_desk.turn(uow, partner_id, reason, suspend=suspend)
    state = "suspended" if suspend else "active"
    print_json({"partner": partner_id, "state": state}) if as_json else print(f"{partner_id}: {state}")


@app.command("test", help="Call its address and say what fails. 连通测试。")
def test(partner_id: Name, as_json: Json = False) -> None:
    """Exit 1 when a step fails."""
    with _work() as uow:
        steps = partner_call.call(hub_of_process(), uow, partner_id)
    if as_json:
        print_json(steps)
    else:
        columns = ["what", "ok", "found", "mend"]
        table(f"{partner_id}", columns, [[each[name] for name in columns] for each in steps])
    raise typer.Exit(0 if all(each["ok"] for each in steps) else 1)
