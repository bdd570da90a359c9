"""From a signed agreement to the escrow's terms, and from a court's record to the escrow's document."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import case_registry
import escrow
import mediation
from escrow import Rail, all_rails
from foundation.unit_of_work import UnitOfWork
from hub.office_records import BEIJING
from schemas.findings import Finding, Refused
from schemas.money import Fen

# Kinds of payee account that are an account at a bank; any other kind is a wallet's own.
BANK_KINDS = frozenset({"card", "account"})


def terms_of(uow: UnitOfWork, matter_id: UUID) -> escrow.AgreementTerms | None:
    """Terms of the matter's agreement in force, or None when there is none."""
    matter = mediation.matter(uow, matter_id)
    live = mediation.live_agreement(uow, matter_id)
    if matter is None or live is None:
        return None
    payees = {each["payee"] for each in live["instalments"]}
    payers = {each["payer"] for each in live["instalments"]}
    parties = tuple(
        _party(party, "PAYEE" if party["key"] in payees else "PAYER")
        for party in matter["parties"]
        if party["key"] in payees | payers
    )
    refs = case_registry.disputes_of(uow, matter["mediation_number"])
    return escrow.AgreementTerms(
        dispute=refs[0].number if refs else matter["mediation_number"],
        mediation_number=matter["mediation_number"],
        agreement_no=live["number"],
        title=matter["cause"],
        signed_on=live["signed_at"].astimezone(BEIJING).date(),
        parties=parties,
        instalments=tuple(
            escrow.InstalmentTerms(
                number=each["no"],
                due_on=each["due_on"],
                fen=Fen(each["fen"]),
                payer=each["payer"],
                payees=((each["payee"], Fen(each["fen"])),),
            )
            for each in live["instalments"]
        ),
        prefixes=prefixes(matter["payment_numbers"]),
        grace_days=live["grace_days"],
        acceleration=live["acceleration"],
        needs_confirmation=live["needs_confirmation"],
    )


def _party(party: dict[str, Any], role: str) -> escrow.PartyTerms:
    return escrow.PartyTerms(
        key=party["key"],
        role="PAYEE" if role == "PAYEE" else "PAYER",
        name=party["name"],
        kind="organisation" if party["kind"] == "organisation" else "person",
        id_number=party["id_number"] or "",
        accounts=accounts_of(party["account"] or {}, party["name"]),
    )


def accounts_of(account: dict[str, Any], name: str) -> tuple[escrow.PayAccount, ...]:
    """The rails on which this account can be paid, asked by the kinds of account in their manifests."""
    found = []
    for rail in all_rails().values():
        kinds = set(rail.manifest["payee"]["kinds"])
        if account.get("account") and kinds & BANK_KINDS:
            found.append(
                escrow.PayAccount(
                    rail.id,
                    account["account"],
                    account.get("name") or name,
                    account.get("bank_code", ""),
                    account.get("bank_name", ""),
                    "card" if account["account"].startswith(("62", "9955")) else "account",
                )
            )
        if account.get("wallet") and account.get("wallet_type") in kinds:
            found.append(
                escrow.PayAccount(
                    rail.id, account["wallet"], account.get("name") or name, kind=account["wallet_type"]
                )
            )
    return tuple(found)


def account_rails() -> list[str]:
    """Rails on which a sub-account is opened for each case."""
    return [rail.id for rail in all_rails().values() if rail.has("opens_subaccounts")]


def rail_named(name: str) -> Rail | None:
    """The rail of that id or of that plain name (alias, or its stand-in's name)."""
    for rail in all_rails().values():
        names = (rail.id, *rail.manifest.get("aliases", ()), str(rail.manifest.get("sandbox", "")))
        if name in names:
            return rail
    return None


def prefixes(told: dict[str, str]) -> dict[str, str]:
    """Prefixes of instruction numbers by rail id, from the plain names that the office wrote."""
    found = {}
    for name, prefix in told.items():
        rail = rail_named(name)
        if rail is not None and prefix:
            found[rail.id] = prefix
    return found


def court_document(event: dict[str, Any]) -> escrow.CourtDocument:
    """The escrow's form of a court's freeze, extension, lifting or deduction."""
    data = event
    return escrow.CourtDocument(
        document_no=str(data.get("document_no") or ""),
        measure=str(data["measure"]),
        account=str(data.get("account") or ""),
        fen=int(data.get("amount_fen") or 0),
        case_no=str(event.get("case_number") or event.get("native_id") or ""),
        from_on=_day(data.get("from")),
        until_on=_day(data.get("until")),
        waiting=bool(data.get("waiting")),
        refers_to=str(data.get("refers_to") or ""),
        source=str(event.get("partner") or ""),
    )


def _day(text: Any) -> date | None:
    return date.fromisoformat(str(text)[:10]) if text else None


def seat_of(
    uow: UnitOfWork,
    mediation_number: str,
    rail_id: str,
    key: str,
    payee: dict[str, Any] | None,
    instalment: int | None,
) -> tuple[str, int]:
    """The payee's seat and the instalment that an order is for, from what the cashier entered.

    ``key`` names the seat itself; else ``payee`` is found among the payees in force by name and account. Without
    ``instalment`` it is the oldest one not yet paid out to that seat. Raises Refused PAYEE_NOT_AGREED.
    """
    detail = escrow.escrow_detail(uow, mediation_number)
    seats = [party for party in detail["parties"] if party["role"] == "PAYEE"]
    if not key and payee is not None:
        wanted = payee.get("account") or payee.get("wallet")
        for party in seats:
            numbers = [
                each["number"]
                for each in party["accounts"]
                if each["rail"] == rail_id and each.get("active", True)
            ]
            if party["name"] == payee.get("name") and wanted in numbers:
                key = party["key"]
    if key not in {party["key"] for party in seats}:
        raise Refused(
            Finding(
                "PAYEE_NOT_AGREED",
                "payee",
                str((payee or {}).get("name") or key),
                "a payee in force, with this account",
            )
        )
    if instalment is None:
        instalment = _next_instalment(detail, key)
    return key, instalment


def _next_instalment(detail: dict[str, Any], key: str) -> int:
    """The oldest instalment of which something is still to be paid out to this seat."""
    paid: dict[int, int] = {}
    for order in detail["orders"]:
        if order["payee"] == key and order["state"] not in (
            "CANCELLED",
            "STOPPED",
            "FAILED",
            "RETURNED",
            "REISSUED",
            "CLOSED",
        ):
            paid[order["instalment"]] = paid.get(order["instalment"], 0) + int(order["amount_fen"])
    for each in detail["instalments"]:
        if paid.get(each["number"], 0) < int(each["fen"]):
            return int(each["number"])
    return int(detail["instalments"][-1]["number"])
