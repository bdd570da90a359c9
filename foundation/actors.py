"""Who acts: every change in the record carries one of these."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Actor:
    """A person or a process that acts on the record.

    Parameters: ``id`` log-in name or process name, stable; ``name`` what screens show; ``roles`` codes of
    the role table (``foundation/staff.py``); ``org`` the office the actor acts for; ``region`` division code of the
    actor's county, "" = the whole city; ``agency`` the agency acted for, "" = the hub.
    """

    id: str
    name: str = ""
    roles: frozenset[str] = field(default_factory=frozenset)
    org: str = ""
    region: str = ""
    agency: str = ""

    def has(self, *roles: str) -> bool:
        """True when the actor holds at least one of the roles."""
        return any(role in self.roles for role in roles)


SYSTEM = Actor(id="system", name="系统", roles=frozenset({"system"}), org="hub")
