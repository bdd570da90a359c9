"""``./concord evidence …``: containers of messages' fates, and checks of the journal that they rest on."""

from __future__ import annotations

import getpass
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from foundation import envelope, inbox, verify_evidence
from foundation.actors import Actor
from foundation.cades import EVIDENCE_KEY
from foundation.keys import KeyStore
from foundation.settings import settings
from foundation.timestamps import AUTHORITY
from foundation.unit_of_work import unit_of_work
from foundation.verify_evidence import Trust, verify
from hub import evidence
from hub.cli.output import errors, print_json, print_line
from hub.context import hub_of_process
from hub.sealing import check_day, seal_all

BEIJING = ZoneInfo("Asia/Shanghai")
app = typer.Typer(no_args_is_help=True, help="Evidence of what happened to a message. 报文证据。")


def _actor() -> Actor:
    return Actor(f"cli/{getpass.getuser()}")


@app.command("export", help="Write containers (ASiC-E), one a message. 导出证据容器。")
def export(
    out: Annotated[Path, typer.Option(help="folder for the containers; made when absent")],
    ids: Annotated[
        list[UUID] | None, typer.Argument(help="our ids of messages; or choose by the options")
    ] = None,
    way: Annotated[str, typer.Option(help="in: messages that came; out: messages that went")] = "in",
    partner: Annotated[str, typer.Option(help="partner's id")] = "",
    message: Annotated[str, typer.Option(help="the sender's id of the message")] = "",
    since: Annotated[datetime | None, typer.Option(help="from this time, Beijing")] = None,
    until: Annotated[datetime | None, typer.Option(help="before this time, Beijing")] = None,
) -> None:
    """At most 20,000 messages. Exit 1 when any message has no container; each such is named with its reason."""
    if way not in ("in", "out"):
        raise typer.BadParameter(f"{way!r}; in or out", param_hint="--way")
    side: Literal["in", "out"] = "out" if way == "out" else "in"
    hub = hub_of_process()
    out.mkdir(parents=True, exist_ok=True)
    made = missing = 0
    with unit_of_work(hub.engine, _actor()) as uow:
        if ids:
            chosen = list(ids)
        else:
            times = [at.replace(tzinfo=BEIJING) if at and at.tzinfo is None else at for at in (since, until)]
            chosen = evidence.choose(
                uow, way=side, partner=partner, message_id=message, since=times[0], until=times[1]
            )
        for each in evidence.export(uow, chosen, side):
            if each.missing is not None:
                missing += 1
                errors.print(f"{each.id}: {each.missing.code}: {each.missing.text_en()}")
                continue
            (out / each.name).write_bytes(each.content)
            made += 1
    print_json({"containers": made, "missing": missing, "folder": str(out)})
    raise typer.Exit(1 if missing or not made else 0)


@app.command("verify", help="Check containers, as anybody can with the verifier alone. 校验证据容器。")
def check_containers(
    containers: Annotated[list[Path], typer.Argument(help="files, or folders of .asice files", exists=True)],
    hub_pem: Annotated[Path | None, typer.Option("--hub", help="PEM of hubs; default: our own")] = None,
    tsa_pem: Annotated[Path | None, typer.Option("--tsa", help="PEM of authorities; default: ours")] = None,
) -> None:
    """One JSON line a container. Exit 1 when any was touched or is not proved."""
    keys = KeyStore(settings().key_dir)
    trust = Trust(
        _read(hub_pem) if hub_pem else _hubs(keys),
        _read(tsa_pem) if tsa_pem else keys.trusted(AUTHORITY),
    )
    bad = 0
    for path in verify_evidence.files_of(containers):
        report = verify(path.read_bytes(), trust)
        bad += bool(report.findings)
        told = [{"part": one.part, "place": one.place, "what": one.what} for one in report.findings]
        print_line({"file": path.name, "ok": not told, **report.told, "findings": told})
    raise typer.Exit(1 if bad else 0)


def _hubs(keys: KeyStore) -> list[x509.Certificate]:
    """Our own certificate, and former ones that the operator keeps as trusted."""
    return [keys.certificate(EVIDENCE_KEY), *keys.trusted(EVIDENCE_KEY)]


def _read(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


@app.command("kit", help="What a third person needs: verifier and certificates. 第三方校验所需文件。")
def kit(folder: Annotated[Path, typer.Argument(help="made when absent")]) -> None:
    """Writes verify_evidence.py, hub.pem and tsa.pem; nothing in it is secret."""
    keys = KeyStore(settings().key_dir)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(verify_evidence.__file__, folder / "verify_evidence.py")
    for name, certificates in (("hub", _hubs(keys)), ("tsa", keys.trusted(AUTHORITY))):
        (folder / f"{name}.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    print_json({"folder": str(folder), "files": sorted(path.name for path in folder.iterdir())})


@app.command("check", help="Check the journal's chains, seals and time stamps of a day. 核验日志链与时间戳。")
def check(
    day: Annotated[str, typer.Argument(help="YYYY-MM-DD, Beijing; default: yesterday")] = "",
) -> None:
    """Exit 1 when a line, a chain, a seal or a stamp does not verify."""
    hub = hub_of_process()
    with unit_of_work(hub.engine) as uow:
        yesterday = (uow.now.astimezone(BEIJING) - timedelta(days=1)).date()
    told = check_day(hub, date.fromisoformat(day).isoformat() if day else yesterday.isoformat())
    print_json(told)
    raise typer.Exit(0 if told["whole"] else 1)


@app.command("erase", help="Destroy a message's content for good; its hash stays. 依法销毁报文内容。")
def erase(
    message: Annotated[UUID, typer.Argument(help="our id of a message that came")],
    reason: Annotated[str, typer.Option(help="why, kept in the journal")],
) -> None:
    """Exit 1 when there is no such message, or it was erased before. There is no way back."""
    hub = hub_of_process()
    with unit_of_work(hub.engine, _actor()) as uow:
        erased = inbox.erase(uow, message, reason)
    seal_all(hub)
    print_json({"message": str(message), "erased": erased})
    raise typer.Exit(0 if erased else 1)


@app.command("rewrap", help="Wrap all data keys by the current storage key. 用新密钥重新封装数据密钥。")
def rewrap() -> None:
    """After a change of ``storage.secret``; when it is through, the former key can go. Safe to run again."""
    hub = hub_of_process()
    total = 0
    while True:
        with unit_of_work(hub.engine, _actor()) as uow:
            done = envelope.rewrap(uow)
        total += done
        if not done:
            break
    print_json({"rewrapped": total})
