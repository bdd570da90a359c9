"""The hub's own processes and the sandbox's: what is started, and how each shows that it is ready."""

from __future__ import annotations

from pathlib import Path

from foundation.settings import ROOT, settings
from hub.supervisor.children import Program, python
from hub.supervisor.ports import PortBase
from hub.supervisor.probes import answers

READY_WITHIN_S = 60.0


def hub_programs(ports: PortBase) -> list[Program]:
    """API, console and worker; the API with TLS too where CONCORD_TLS_HOST says on which address."""
    tls = Program("api-tls", python("exchange_api.tls"), ready_within_s=READY_WITHIN_S, folder=ROOT)
    api, console = (f"http://127.0.0.1:{ports.port(name)}" for name in ("api", "console"))
    return [
        Program(
            "api",
            python("exchange_api"),
            ready=lambda: answers(f"{api}/health"),
            ready_within_s=READY_WITHIN_S,
            folder=ROOT,
        ),
        Program(
            "console",
            python("console"),
            ready=lambda: answers(f"{console}/health"),
            ready_within_s=READY_WITHIN_S,
            folder=ROOT,
        ),
        Program("worker", python("hub.worker"), ready_within_s=READY_WITHIN_S, folder=ROOT),
        *([tls] if settings().tls_host else []),
    ]


def sandbox_programs(ports: PortBase, var_dir: Path) -> list[Program]:
    """The stand-ins for partners and for the bank, started only outside production."""
    return [
        _stand_in("sandbox-partners", "sandbox.partners", ports.port("sandbox_partners"), ports, var_dir),
        _stand_in("sandbox-bank", "sandbox.bank_process", ports.port("sandbox_bank"), ports, var_dir),
    ]


def _stand_in(name: str, module: str, port: int, ports: PortBase, var_dir: Path) -> Program:
    hub = f"http://127.0.0.1:{ports.port('api')}"
    command = python(module, "--port", str(port), "--hub", hub, "--var", str(var_dir))
    control = f"http://127.0.0.1:{port}/control/health"
    return Program(name, command, ready=lambda: answers(control), ready_within_s=READY_WITHIN_S, folder=ROOT)
