"""Foundation: database, unit of work, inbox, outbox, wire, journal, broker, keys, clock, settings.

Everything here serves every room above and knows no partner, no rail and no business rule.
Rooms import the modules they need by name (``from foundation.unit_of_work import UnitOfWork``).
"""
