"""The parts of a copy, each brought up by one function that takes the ``System``; they run beside each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from foundation.embedded_postgres import PostgresFailed
from hub.supervisor import airflow, rabbitmq, written
from hub.supervisor.airflow_rest import AirflowRefused, AirflowRest
from hub.supervisor.children import NotReady, Program
from hub.supervisor.commands import CommandFailed, run_quietly
from hub.supervisor.failures import StartFailed
from hub.supervisor.services import hub_programs, sandbox_programs

if TYPE_CHECKING:
    from hub.supervisor.system import System

PREPARE_WITHIN_S = 180.0
AIRFLOW_MIGRATE_WITHIN_S = 240.0


def plan_broker(system: System, mark: str) -> tuple[str, Program | None]:
    """AMQP URL ("" when there is no broker) and the broker to start, if it is ours to start."""
    named = os.environ.get("CONCORD_AMQP_URL", "")
    if named:
        system.say("RabbitMQ: the one named by CONCORD_AMQP_URL")
        return named, None
    script = rabbitmq.find_server()
    if script is None:
        system.say("RabbitMQ is not installed: the hub wakes by PostgreSQL's LISTEN/NOTIFY")
        return "", None
    ports = system.ports
    program, url = rabbitmq.program(
        script,
        system.var_dir / "rabbitmq",
        f"concord_{mark}",
        ports.port("rabbitmq"),
        ports.port("rabbitmq_dist"),
        ports.port("epmd"),
    )
    return url, program


def start_broker(system: System, program: Program) -> None:
    try:
        if system.launch(program).wait_ready(system.stopping):
            system.say("RabbitMQ is up")
    except NotReady as problem:
        # Losing the broker loses speed, never data: the hub goes on by LISTEN/NOTIFY.
        system.say(f"RabbitMQ did not start; the hub wakes by PostgreSQL's LISTEN/NOTIFY\n{problem}")


def start_server(system: System) -> None:
    try:
        version = system.server.start()
    except PostgresFailed as error:
        raise StartFailed(f"PostgreSQL: {error}") from None
    where = "named by CONCORD_DATABASE_URL" if system.server.external else "is up"
    system.say(f"PostgreSQL {version} {where}")


def prepare(system: System) -> None:
    """Migrations, keys, staff, partners' addresses: one process, so that a failure has one log."""
    try:
        run_quietly("hub.supervisor.prepare", [], system, PREPARE_WITHIN_S)
    except CommandFailed as problem:
        raise StartFailed(f"setting up the database and keys failed\n{problem}") from None
    system.say("database migrated, keys there")


def start_hub(system: System) -> None:
    """API, console, worker, and outside production the stand-ins."""
    programs = hub_programs(system.ports)
    if system.environment["CONCORD_ENVIRONMENT"] != "production":
        programs += sandbox_programs(system.ports, system.var_dir)
    start_together(system, programs)
    system.say(f"{', '.join(program.name for program in programs)} are up")


def start_airflow(system: System) -> None:
    """Its database, tables, four processes and pools."""
    home = system.var_dir / "airflow"
    try:
        database = system.server.second_database()
    except PostgresFailed as error:
        raise StartFailed(str(error)) from None
    environment = airflow.environment(home, database, system.ports, system.urls()["console"])
    password = airflow.password(home)
    if not airflow.migrated(home, database):
        system.say("Airflow: making its tables (first time)")
        try:
            run_quietly("airflow", ["db", "migrate"], system, AIRFLOW_MIGRATE_WITHIN_S, environment)
        except CommandFailed as problem:
            raise StartFailed(f"Airflow's tables could not be made\n{problem}") from None
        airflow.note_migrated(home)
    *first, scheduler = airflow.programs(environment, system.ports)
    # The scheduler last: a task that finds no API server yet would count as failed.
    start_together(system, first)
    start_together(system, [scheduler])
    _make_pools(system, password)
    system.say("Airflow is up: API server, scheduler, DAG processor, triggerer")


def start_together(system: System, programs: list[Program]) -> None:
    """Start programs at once and wait for all. Raises StartFailed or Stopped."""

    def start_one(program: Program) -> None:
        system.launch(program).wait_ready(system.stopping)

    for waiting in [system.in_background(start_one, program) for program in programs]:
        system.result(waiting)


def _make_pools(system: System, password: str) -> None:
    pools = written.read(system.var_dir / "run" / "prepared.json").get("pools", {})
    try:
        rest = AirflowRest(system.urls()["airflow"], airflow.OPERATOR, password)
        rest.ensure_pools(pools)
        rest.close()
    except AirflowRefused as problem:
        raise StartFailed(f"Airflow does not take the partners' pools: {problem}") from None
