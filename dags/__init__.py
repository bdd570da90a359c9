"""DAGs: what operators watch. Each task calls one idempotent function of ``hub.jobs``; no rule lives here."""
