"""Which cases stand behind what a desk is asked about: for whoever must know whose it is before it is shown or done."""

from __future__ import annotations

from uuid import UUID

from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import uuid_in

_CASE = "SELECT c.mediation_number AS number FROM escrow.escrow_case c"
_BEHIND = {
    "case": f"{_CASE} WHERE c.mediation_number = :ref OR c.dispute = :ref OR c.id = CAST(:id AS uuid) ORDER BY c.created_at DESC LIMIT 1",
    "order": f"{_CASE} JOIN escrow.payment_order o ON o.case_id = c.id WHERE o.id = CAST(:id AS uuid)",
    "deposit": f"{_CASE} JOIN escrow.deposit d ON d.case_id = c.id WHERE d.id = CAST(:id AS uuid)",
    "recovery": f"{_CASE} JOIN escrow.recovery r ON r.case_id = c.id WHERE r.id = CAST(:id AS uuid)",
    "break": "SELECT c.mediation_number AS number FROM escrow.recon_break b LEFT JOIN escrow.escrow_case c ON c.id = b.case_id"
    " WHERE b.id = CAST(:id AS uuid)",
    "line": "SELECT c.mediation_number AS number FROM escrow.statement_line l LEFT JOIN escrow.line_placing p ON p.line = l.id"
    " LEFT JOIN escrow.bank_account a ON a.rail = l.rail AND a.number = l.account"
    " LEFT JOIN escrow.escrow_case c ON c.id = coalesce(p.case_id, a.case_id) WHERE l.id = CAST(:id AS uuid)",
    "decision": "SELECT c.mediation_number AS number FROM escrow.decision d CROSS JOIN LATERAL (SELECT d.case_id AS id"
    " WHERE d.kind <> 'SPLIT' OR d.case_id IS NOT NULL UNION"
    " SELECT CAST(part ->> 0 AS uuid) FROM jsonb_array_elements(d.body -> 'parts') part WHERE d.kind = 'SPLIT') b"
    " LEFT JOIN escrow.escrow_case c ON c.id = b.id"
    " WHERE d.id = CAST(:id AS uuid) ORDER BY 1 LIMIT 200",
}


def numbers_behind(uow: UnitOfWork, what: str, ref: UUID | str) -> list[str | None]:
    """The mediation numbers of the cases that a `what` (case, order, deposit, recovery, break, line, decision) belongs to.

    Empty where there is none of that id; [None] where it belongs to no case. A case is named as everywhere: by id,
    mediation number or dispute.
    """
    given = uuid_in(str(ref))
    if what != "case" and given is None:
        return []
    return [row["number"] for row in uow.all(_BEHIND[what], ref=str(ref), id=given)]
