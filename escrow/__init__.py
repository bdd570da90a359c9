"""The escrow room: from a signed agreement to proved disbursement (escrow.md). The front door; nobody reaches past it.

Every act takes an open unit of work first, acts for `uow.actor` at `uow.now`, and gives a `Result`: events for
choreography ("event", "case_id", "dispute", "mediation_number", …), the id of what it made, findings. It raises
`schemas.findings.Refused` where it refuses; then nothing of it is kept. Cases are named by id, mediation number or
dispute. Sums are whole fen. Acts that reach a rail take a `RailDesk` (keys and rails of this installation).

agreement   open_escrow, lodge_agreement → enter_agreement (awaits_entry), request_subaccount, record_subaccount,
            void_agreement, replace_agreement, waive_instalment, confirmation_applied, confirmation_result,
            enforcement_filed, enforced, note_withdrawal, resume
money in    take_advice (whatever a rail's folder read), take_statements, take_statement_file, propose_split; import_sent_instruction
orders      draft_order, draft_refund, draft_top_up, check_order, release_order, cancel_order, dispatch, give_up,
            close_returned
batches     draft_batch, check_batch, release_batch, cancel_batch, batch_detail
worker      released_orders → dispatch; waiting_files → dispatch_file, claim_files → carry → take_file_reply;
            claim_to_send, claim_asks, claim_subaccounts → carry (no database) → take_reply; record_outcome, ask_now
holds       take_court_document, place_stop, place_stop_by_rule, end_stop, end_stop_by_rule
two persons propose_split, propose_payee, propose_deposit, propose_short_return, propose_settlement, propose_fee → confirm_decision
afterwards  note_notice, end_deposit (提存), move_recovery (追回)
time        watch_instalments, reconcile_day, seal_day, prove
looking     has_case, acts_of, escrow_case, escrow_detail, order_detail, sent_instruction, places_of, the lists, suspense_fen,
            numbers_behind
"""

from escrow.batch_checks import BatchItem
from escrow.batch_drafts import draft_batch
from escrow.batch_files import claim_files, dispatch_file, released_orders, take_file_reply, waiting_files
from escrow.batches import batch_detail, cancel_batch, check_batch, release_batch
from escrow.behind import numbers_behind
from escrow.breaks import close_break, own_break
from escrow.cases import (
    find_case,
    note_withdrawal,
    open_escrow,
    record_subaccount,
    replace_agreement,
    request_subaccount,
    void_agreement,
)
from escrow.decisions import (
    confirm_decision,
    propose_deposit,
    propose_fee,
    propose_payee,
    propose_settlement,
    propose_short_return,
    propose_split,
    reject_decision,
)
from escrow.deposits import end_deposit, note_notice
from escrow.desk import RailDesk, known_order, last_statement
from escrow.dispatch import Claim, ask_now, claim_asks, claim_subaccounts, claim_to_send, dispatch, give_up
from escrow.holds import CourtDocument, take_court_document
from escrow.inbound import carry, take_advice, take_reply
from escrow.machines import MACHINES
from escrow.orders import cancel_order, check_order, draft_order, draft_refund, draft_top_up, release_order
from escrow.paper import awaits_entry, enter_agreement, lodge_agreement
from escrow.performance import (
    confirmation_applied,
    confirmation_result,
    enforced,
    enforcement_filed,
    resume,
    waive_instalment,
    watch_instalments,
)
from escrow.proof import Violation, prove
from escrow.queries import (
    custody_accounts,
    list_breaks,
    list_cases,
    list_decisions,
    list_listed_items,
    list_orders,
    order_detail,
    orders_to_sign,
    places_of,
    recon_runs,
)
from escrow.rails import Advice, Incoming, Rail, Reply, all_rails
from escrow.reconcile import last_day_over, reconcile_day
from escrow.recoveries import move_recovery
from escrow.register import import_sent_instruction, sent_instruction
from escrow.results import Event, Result, acts_of
from escrow.returns import close_returned
from escrow.seal import seal_day
from escrow.statement_files import take_statement_file
from escrow.statements import take_statements
from escrow.stops import end as end_stop_by_rule
from escrow.stops import end_stop, place_stop
from escrow.stops import place as place_stop_by_rule
from escrow.summary import escrow_case, escrow_detail, has_case
from escrow.suspense import open_suspense, suspense_fen
from escrow.terms import AgreementTerms, InstalmentTerms, PartyTerms, PayAccount
from escrow.words import record_outcome

__all__ = [
    "MACHINES",
    "Advice",
    "AgreementTerms",
    "BatchItem",
    "Claim",
    "CourtDocument",
    "Event",
    "Incoming",
    "InstalmentTerms",
    "PartyTerms",
    "PayAccount",
    "Rail",
    "RailDesk",
    "Reply",
    "Result",
    "Violation",
    "acts_of",
    "all_rails",
    "ask_now",
    "awaits_entry",
    "batch_detail",
    "cancel_batch",
    "cancel_order",
    "carry",
    "check_batch",
    "check_order",
    "claim_asks",
    "claim_files",
    "claim_subaccounts",
    "claim_to_send",
    "close_break",
    "close_returned",
    "confirm_decision",
    "confirmation_applied",
    "confirmation_result",
    "custody_accounts",
    "dispatch",
    "dispatch_file",
    "draft_batch",
    "draft_order",
    "draft_refund",
    "draft_top_up",
    "end_deposit",
    "end_stop",
    "end_stop_by_rule",
    "enforced",
    "enforcement_filed",
    "enter_agreement",
    "escrow_case",
    "escrow_detail",
    "find_case",
    "give_up",
    "has_case",
    "import_sent_instruction",
    "known_order",
    "last_day_over",
    "last_statement",
    "list_breaks",
    "list_cases",
    "list_decisions",
    "list_listed_items",
    "list_orders",
    "lodge_agreement",
    "move_recovery",
    "note_notice",
    "note_withdrawal",
    "numbers_behind",
    "open_escrow",
    "open_suspense",
    "order_detail",
    "orders_to_sign",
    "own_break",
    "place_stop",
    "place_stop_by_rule",
    "places_of",
    "propose_deposit",
    "propose_fee",
    "propose_payee",
    "propose_settlement",
    "propose_short_return",
    "propose_split",
    "prove",
    "recon_runs",
    "reconcile_day",
    "record_outcome",
    "record_subaccount",
    "reject_decision",
    "release_batch",
    "release_order",
    "released_orders",
    "replace_agreement",
    "request_subaccount",
    "resume",
    "seal_day",
    "sent_instruction",
    "suspense_fen",
    "take_advice",
    "take_court_document",
    "take_file_reply",
    "take_reply",
    "take_statement_file",
    "take_statements",
    "void_agreement",
    "waiting_files",
    "waive_instalment",
    "watch_instalments",
]
