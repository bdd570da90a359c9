"""One running API for all tests of this folder, over a database of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg import sql
from sqlalchemy import Engine

from foundation import embedded_postgres
from foundation.clock import move_clock
from foundation.database import make_engine
from tests.acceptance import senders
from tests.acceptance.hub_process import API, RunningHub, running_hub
from tests.conftest import STORY_START, _admin


@dataclass
class Api:
    """The API as a process, and its database to look into."""

    hub: RunningHub
    engine: Engine


@pytest.fixture(scope="package")
def api(
    cluster: embedded_postgres.Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The API with keys by which the tests' senders are known; no worker, so nothing happens but by a call."""
    name = f"a_{uuid.uuid4().hex[:12]}"
    with _admin(cluster) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    engine = make_engine(cluster.url(name))
    with engine.begin() as conn:
        move_clock(conn, STORY_START)
    with running_hub(
        cluster.url(name),
        tmp_path_factory.mktemp("api"),
        secrets=senders.secrets(),
        trusted=senders.certificates(),
        processes=(API,),
    ) as hub:
        yield Api(hub, engine)
    engine.dispose()
    with _admin(cluster) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
