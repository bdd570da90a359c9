"""All commands of ``./concord``, one file each, put together."""

from __future__ import annotations

import sys

import typer
from sqlalchemy.exc import OperationalError

from hub.cli import (
    disputes,
    doctor,
    escalation,
    evidence,
    ingest,
    linking,
    partner,
    partners,
    sandbox,
    sharing,
    status,
    stories,
    supervision,
)
from hub.context import NoDatabase

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Concord 纠纷协同：一份档案、一路跟踪、一笔不差的给付。",
    pretty_exceptions_enable=False,
)
app.command("status", help="What runs, what waits, who is away. 运行、积压、伙伴状态。")(status.status)
app.command("version", help="Version and database release. 版本。")(status.version)
app.command("doctor", help="What is wrong and how to mend it. 体检与处置建议。")(doctor.doctor)
app.command("pull", help="Pull everything new from a partner. 从伙伴拉取。")(partners.pull)
app.command("ingest", help="Take files as if they came from a partner. 导入报文文件。")(ingest.ingest)
app.command("dispute", help="One dispute: record, episodes, claims, timeline. 查询纠纷。")(disputes.dispute)
app.command("state-hash", help="SHA-256 of the registry's facts. 登记簿状态摘要。")(disputes.state_hash)
app.command("import-office", help="Load the office's own mediation records (csv). 导入本办案卷。")(
    partners.import_office
)
app.command("link", help="Join any two registers, or find doubles in one. 名册关联与查重。")(linking.link)
app.command("story", help="Play stories through the real wire. 演练故事。")(stories.story)

app.add_typer(partner.app, name="partner")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(sharing.app, name="sharing")
app.add_typer(evidence.app, name="evidence")
app.add_typer(supervision.app, name="supervision")
app.add_typer(escalation.app, name="escalation")


def main() -> None:
    """Run the command line; errors for people, not traces."""
    try:
        app()
    except NoDatabase as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        print(
            f"the database does not answer ({reason}); ./run starts it. 数据库未启动，请先运行 ./run",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
