"""The first release: every room's tables, in the order of the rooms."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    # The driver's own cursor without parameters: many statements in one text, and % stays %.
    cursor = op.get_bind().connection.cursor()
    for path in sorted(SQL.glob("*.sql")):
        cursor.execute(path.read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("the first release has nothing below it: restore a back-up instead")
