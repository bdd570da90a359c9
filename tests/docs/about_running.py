"""Tables about a running copy: ports, roles, commands, scheduled work."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer.main

from console.words import words
from foundation.partner_limits import RANGES, Limits
from foundation.settings import DEFAULT_PORT_BASE, PORT_OFFSETS
from foundation.staff import ROLES
from hub.cli.app import app
from hub.setup_keys import PEOPLE
from tests.docs.rows import code, table
from tests.platform.tree import ROOT

SERVICES = {
    "api": "hub's API: partners, banks, REST",
    "console": "console",
    "sandbox_partners": "the agencies' stand-ins",
    "sandbox_bank": "the stand-ins of bank and wallet",
    "airflow_api": "Airflow: screens and REST",
    "airflow_worker_log": "Airflow: logs of running tasks",
    "airflow_trigger_log": "Airflow: logs of the triggerer",
    "postgres": "PostgreSQL, when the embedded one is used",
    "rabbitmq": "RabbitMQ, when it is installed",
    "rabbitmq_dist": "RabbitMQ's node",
    "epmd": "Erlang's port mapper",
    "api_tls": "hub's API with TLS and client certificates, when `CONCORD_TLS_HOST` is set",
}


def ports() -> str:
    rows = [
        (DEFAULT_PORT_BASE + offset, f"base + {offset}", SERVICES[name])
        for name, offset in PORT_OFFSETS.items()
    ]
    return table(["port", "by rule", "what listens there"], rows)


def partner_limits() -> str:
    """Every limit of a partner, what holds where nothing is entered, and the range."""
    told = words()["limit"]
    rows = [
        (
            code(name),
            told[name][1],
            told[name][0],
            f"{value:g}",
            f"{RANGES[name][0]:g} to {RANGES[name][1]:g}",
        )
        for name, value in vars(Limits()).items()
    ]
    return table(["limit", "what it is", "名称", "unless entered", "may be"], rows)


def roles() -> str:
    holders: dict[str, list[str]] = {}
    for staff_id, _name, _org, theirs in PEOPLE:
        for role in theirs:
            holders.setdefault(role, []).append(staff_id)
    rows = [
        (code(role), zh, en, " ".join(code(each) for each in holders.get(role, ())))
        for role, (zh, en) in ROLES.items()
    ]
    return table(["role", "名称", "what it does", "log-in names of a sandbox"], rows)


def commands() -> str:
    group = typer.main.get_command(app)
    plain = [(name, each) for name, each in group.commands.items()]  # type: ignore[attr-defined]
    # A command with commands of its own, such as partner, is shown by these.
    listed = [
        (f"{name} {inner}".strip(), command)
        for name, each in plain
        for inner, command in getattr(each, "commands", {"": each}).items()
    ]
    return table(["command", "options", "what it does", "more"], [_command(*each) for each in listed])


def _command(name: str, command: Any) -> tuple[str, ...]:
    options = [
        f"{'/'.join(each.opts)}"
        for each in command.params
        if each.param_type_name == "option" and each.name != "help"
    ]
    arguments = [
        (each.metavar or each.name.upper()).split("}")[0]
        for each in command.params
        if each.param_type_name == "argument"
    ]
    exit_code = inspect.cleandoc(command.callback.__doc__ or "").splitlines()[0]
    said = (command.help or "").splitlines()[0]
    return (
        code(" ".join(["./concord", name, *arguments])),
        " ".join(code(word) for word in options),
        said,
        exit_code if exit_code != said else "",
    )


def dags() -> str:
    rows = [_dag(path) for path in sorted((ROOT / "dags").glob("*.py")) if "@dag(" in path.read_text("utf-8")]
    return table(["DAG", "what it does", "when (Beijing)", "calls", "tags"], rows)


def _dag(path: Path) -> tuple[str, ...]:
    """Read from the source: importing Airflow for this would take seconds."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    decorator = next(
        each
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for each in node.decorator_list
        if isinstance(each, ast.Call) and getattr(each.func, "id", "") == "dag"
    )
    told = {each.arg: each.value for each in decorator.keywords}
    schedule = told["schedule"]
    assert isinstance(schedule, ast.Call)
    called = sorted(
        {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and getattr(node.func.value, "id", "") == "jobs"
        }
    )
    return (
        code(ast.literal_eval(told["dag_id"])),
        ast.literal_eval(told["description"]),
        code(ast.literal_eval(schedule.args[0])),
        " ".join(code(f"hub.jobs.{name}") for name in called),
        " ".join(ast.literal_eval(told["tags"])),
    )


TABLES: dict[str, Callable[[], str]] = {
    "ports": ports,
    "roles": roles,
    "commands": commands,
    "partner-limits": partner_limits,
    "dags": dags,
}
