"""What a person reads when everything is up: addresses and log-in names."""

from __future__ import annotations

from hub.supervisor import airflow
from hub.supervisor.system import System
from hub.supervisor.written import read


def greeting(system: System) -> str:
    """Addresses and log-in names of the running copy. Passwords of the sandbox only; else where they lie."""
    urls = system.urls()
    rows = [
        ("console 工作台", urls["console"]),
        ("hub API 接口", f"{urls['api']}/docs"),
        ("sandbox partners 模拟单位", urls["sandbox_partners"]),
        ("sandbox bank 模拟银行", urls["sandbox_bank"]),
    ]
    if "airflow" in urls:
        rows.insert(2, ("Airflow 运行调度", urls["airflow"]))
    lines = ["", "Concord is up.", *(f"  {name:<28}{url}" for name, url in rows), ""]
    people = read(system.var_dir / "run" / "logins.json")
    if people:
        lines.append("  log-in names (console):")
        lines += [f"    {name:<16}{told}" for name, told in people.items()]
    if "airflow" in urls:
        lines.append(
            f"  log-in name (Airflow): {airflow.OPERATOR}  password: {airflow.password(system.var_dir / 'airflow')}"
        )
    lines += [f"  logs: {system.var_dir / 'log'}", "  Ctrl-C stops everything.", ""]
    return "\n".join(lines)
