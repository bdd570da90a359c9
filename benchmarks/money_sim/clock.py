"""Virtual time: one instant for the bank, the wallet and (with a skew that may jump) the hub's database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.clock import BEIJING

START = datetime(2026, 4, 1, 1, tzinfo=UTC)

# The hub reads its clock by exchange.now(), and leases by clock_timestamp(): both stand still between steps here.
# A schema before pg_catalog in the search path is how a test database gets another clock_timestamp().
FROZEN = """
CREATE OR REPLACE FUNCTION exchange.now() RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT anchor_virtual FROM exchange.clock $$;
CREATE SCHEMA simulated;
CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT exchange.now() $$;
"""
SEARCH_PATH = "simulated, pg_catalog, public"


class SimulatedClock:
    """What the stand-ins read; `hub_skew` is how far the hub's own clock is off. `admin`: the owner's connection."""

    is_virtual = True

    def __init__(self, admin: Any) -> None:
        self._admin = admin
        self.at = START
        self.hub_skew = timedelta()

    def now(self) -> datetime:
        """Aware UTC, as the bank and the wallet see it."""
        return self.at

    def beijing(self) -> datetime:
        """Beijing time."""
        return self.at.astimezone(BEIJING)

    def set(self, at: datetime, skew: timedelta = timedelta()) -> None:
        """Move all clocks; the hub's database to `at` + `skew`."""
        self.at, self.hub_skew = at, skew
        self._admin.execute(
            "UPDATE exchange.clock SET mode = 'virtual', anchor_virtual = %(at)s, anchor_real = %(at)s",
            {"at": at + skew},
        )

    def advance(self, by: timedelta) -> None:
        """Let time pass for everyone."""
        self.set(self.at + by, self.hub_skew)
