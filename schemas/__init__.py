"""The language of Concord: models, code tables, identifiers, money, findings and state machines.

Pure: no I/O but reading the package's own data, no clock, no random ids, no import of any other room.
Import from the modules: `from schemas.money import Fen`, `from schemas.findings import Finding, Refused`.
"""
