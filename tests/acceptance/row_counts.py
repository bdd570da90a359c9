"""Counts of all tables of the hub's schemas, to show that refused input leaves nothing but the raw message."""

from __future__ import annotations

from sqlalchemy import Engine, text

SCHEMAS = ("exchange", "registry", "mediation", "escrow")
# The raw message itself and the journal line of its fate, and what a contract says shall be noted of it: a used
# nonce, an alarm for a person.
QUARANTINE = {"exchange.inbox", "exchange.nonce", "exchange.alarm", "exchange.journal"}


def counts(engine: Engine) -> dict[str, int]:
    """Rows of each table but the quarantine's."""
    with engine.connect() as conn:
        names = [
            f"{schema}.{table}"
            for schema, table in conn.execute(
                text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(:s) ORDER BY 1, 2"),
                {"s": list(SCHEMAS)},
            )
        ]
        sql = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in names)
        found: dict[str, int] = {row[0]: row[1] for row in conn.execute(text(sql))}
    return {name: number for name, number in found.items() if name not in QUARANTINE}


def more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Tables whose count changed, and by how much."""
    return {name: after[name] - before[name] for name in before if after[name] != before[name]}
