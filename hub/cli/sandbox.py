"""``./concord sandbox partner NAME``: a hub of one's own for a partner's engineer, in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from foundation.settings import ROOT

app = typer.Typer(no_args_is_help=True, help="Stand-ins to try against. 沙箱。")


@app.command("partner", help="Answer a partner's calls as the hub would and explain them. 伙伴联调沙箱。")
def partner(
    name: Annotated[str, typer.Argument(help="partner's id")],
    http: Annotated[
        Path | None, typer.Option(help="public key or certificate for signed requests", exists=True)
    ] = None,
    wss: Annotated[Path | None, typer.Option(help="certificate for WS-Security", exists=True)] = None,
    tls_request: Annotated[
        Path | None, typer.Option(help="CSR for a TLS client certificate", exists=True)
    ] = None,
    agency: Annotated[str, typer.Option(help="kind of agency")] = "street",
    port: Annotated[int, typer.Option(help="HTTP here, TLS on the next")] = 8790,
    out: Annotated[Path | None, typer.Option(help="folder for what the hub hands out")] = None,
) -> None:
    """Ends with Ctrl-C; nothing of it is kept."""
    told = {"http": http, "wss": wss, "tls-request": tls_request, "out": out or Path(f"{name}-sandbox")}
    files = [word for key, path in told.items() if path for word in (f"--{key}", str(path.absolute()))]
    command = [
        sys.executable,
        "-m",
        "exchange_api.partner_sandbox",
        name,
        "--agency",
        agency,
        "--port",
        str(port),
    ]
    os.chdir(ROOT)
    # In this process's place: Ctrl-C and SIGTERM reach the sandbox itself.
    os.execv(sys.executable, [*command, *files])
