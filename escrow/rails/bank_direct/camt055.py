"""camt.055.001.09: a request to cancel payments that were sent. Best effort; camt.029 answers."""

from __future__ import annotations

from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from escrow.rail_types import CancelRequest, RailContext
from escrow.rails.bank_direct.iso import CAMT_055, NAMESPACE, PAIN_001, parse_document
from schemas.wide import BEIJING

_E = ElementMaker(namespace=NAMESPACE + CAMT_055, nsmap={None: NAMESPACE + CAMT_055})


def build(request: CancelRequest, ctx: RailContext) -> bytes:
    """The document of a cancellation request, valid by its XSD. Raises Refused (SCHEMA_VIOLATION)."""
    at = request.created_at.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")
    batch = request.batch_id or ctx.account("message_prefix") + request.numbers[0]
    assignment = _E.Assgnmt(
        _E.Id(request.cancel_id),
        _E.Assgnr(_E.Pty(_E.Nm(ctx.account("owner")))),
        _E.Assgne(_E.Pty(_E.Nm(ctx.account("bank_name")))),
        _E.CreDtTm(at),
    )
    control = _E.CtrlData(_E.NbOfTxs(str(len(request.numbers))))
    wanted = [_wanted(batch, place, number, request) for place, number in enumerate(request.numbers, 1)]
    tree = _E.Document(_E.CstmrPmtCxlReq(assignment, control, _E.Undrlyg(*wanted)))
    body = etree.tostring(tree, encoding="unicode")
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()
    parse_document(document)
    return document


def _wanted(batch: str, place: int, number: str, request: CancelRequest) -> Any:
    reason = (
        [_E.CxlRsnInf(_E.Rsn(_E.Cd("CUST")), _E.AddtlInf(request.reason[:105]))] if request.reason else []
    )
    return _E.OrgnlPmtInfAndCxl(
        _E.OrgnlPmtInfId(f"{batch}P{place}"),
        _E.OrgnlGrpInf(_E.OrgnlMsgId(batch), _E.OrgnlMsgNmId(PAIN_001)),
        _E.TxInf(_E.OrgnlInstrId(f"{number}N"), _E.OrgnlEndToEndId(number), *reason),
    )
