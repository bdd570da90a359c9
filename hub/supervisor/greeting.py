"""What a person reads when everything is up: addresses and log-in names."""

from __future__ import annotations

from hub.supervisor import airflow
from hub.supervisor.system import System
from hub.supervisor.written import read


def greeting(system: System) -> str:
    """Addresses and log-in names of the running copy; passwords stay in files that only the owner reads."""
    urls = system.urls()
    rows = [
        ("工作台 console", urls["console"]),
        ("接口 hub API", f"{urls['api']}/docs"),
        ("模拟单位 sandbox partners", urls["sandbox_partners"]),
        ("模拟银行 sandbox bank", urls["sandbox_bank"]),
    ]
    if "airflow" in urls:
        rows.insert(2, ("运行调度 Airflow", urls["airflow"]))
    logins = system.var_dir / "run" / "logins.json"
    lines = [
        "",
        f"Concord is up after {system.seconds():.1f} s.",
        *(f"  {url:<32}{name}" for name, url in rows),
        "",
    ]
    lines.append(f"  log-in names (console): {' '.join(read(logins))}")
    lines.append(f"    passwords: {logins}")
    if "airflow" in urls:
        lines.append(f"  log-in name (Airflow): {airflow.OPERATOR}")
        lines.append(f"    password: {system.var_dir / 'airflow' / 'passwords.json'}")
    return "\n".join([*lines, f"  logs: {system.var_dir / 'log'}", "  Ctrl-C stops everything.", ""])
