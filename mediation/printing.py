"""The agreement on paper: one A4 page in the order of Mediation Law 29, from what was (or will be) signed."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, select_autoescape

from foundation.unit_of_work import UnitOfWork
from mediation.agreements import signed_text
from mediation.matters import matter
from schemas.findings import Finding, Refused
from schemas.money import Fen, capital_amount

_PAGES = Environment(loader=PackageLoader("mediation"), autoescape=select_autoescape(), trim_blocks=True)
BEIJING = ZoneInfo("Asia/Shanghai")


def agreement_html(uow: UnitOfWork, agreement_id: UUID) -> str:
    """The agreement as a printable HTML page, with the sum in capital characters. Raises Refused."""
    row = uow.one("SELECT * FROM mediation.agreement WHERE id = :id", id=agreement_id)
    if row is None:
        raise Refused(
            Finding("UNKNOWN_ORIGINAL", "agreement", str(agreement_id), "an agreement of this office")
        )
    signatures = uow.all(
        "SELECT * FROM mediation.signature WHERE agreement = :id ORDER BY signer", id=agreement_id
    )
    content = signed_text(uow, agreement_id)
    names = {party["key"]: party["name"] for party in content["parties"]}
    return _PAGES.get_template("agreement.html").render(
        agreement=row,
        matter=matter(uow, row["matter"]),
        content=content,
        names=names,
        signatures=signatures,
        capital=capital_amount(Fen(row["total_fen"])),
        yuan=lambda fen: Fen(fen).yuan_text(),
        signed_on=row["signed_at"].astimezone(BEIJING).date() if row["signed_at"] else None,
        digest=bytes(row["digest"]).hex() if row["digest"] else "",
    )
