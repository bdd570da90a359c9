"""Supervisor: starts every process of one copy of Concord, heals it, and stops it without leaving any.

``System`` is the whole of it: ``with System(options) as system: ...`` has everything started inside and
nothing left after. ``./run`` is ``python -m hub.supervisor``; `./concord story` uses ``System`` too when
nothing runs yet.
"""

from hub.supervisor.failures import StartFailed
from hub.supervisor.system import Options, System
from hub.supervisor.written import running_copy

__all__ = ["Options", "StartFailed", "System", "running_copy"]
