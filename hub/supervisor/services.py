"""The hub's own processes and the sandbox's: what is started, and how each shows that it is ready."""

from __future__ import annotations

from foundation.settings import ROOT
from hub.supervisor.children import Program, python
from hub.supervisor.ports import PortBase
from hub.supervisor.probes import answers, listens

READY_WITHIN_S = 45.0


def hub_programs(ports: PortBase) -> list[Program]:
    """API, console and worker."""
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
    ]


def sandbox_programs(ports: PortBase) -> list[Program]:
    """The stand-ins for partners and for the bank, started only outside production."""
    return [
        _stand_in("sandbox-partners", "sandbox.partners", ports.port("sandbox_partners")),
        _stand_in("sandbox-bank", "sandbox.bank_process", ports.port("sandbox_bank")),
    ]


def _stand_in(name: str, module: str, port: int) -> Program:
    def ready() -> bool:
        return listens(port) and answers(f"http://127.0.0.1:{port}/control/health")

    return Program(name, python(module), ready=ready, ready_within_s=READY_WITHIN_S, folder=ROOT)
