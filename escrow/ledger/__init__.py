"""The ledger (escrow.md, "Ledger"; docs/ledger.md): the front door of both its parts.

general     create_accounts, create_transfers, commit_transfers, lookup_accounts, lookup_transfers, account_transfers,
            account_balances, query_accounts, query_transfers, freeze_account, lift_account, expire_due, prove_ledger;
            GroupCommit for many single callers in one process
the escrow's own books   account, balance, post, post_many, Grounds, Pair, lock_case, lock_cases, free, holding
"""

from escrow.ledger.codes import ACCOUNT_CODES, TRANSFER_CODES
from escrow.ledger.events import (
    AMOUNT_MAX,
    BATCH_MAX,
    Account,
    AccountBalance,
    AccountFlags,
    Outcome,
    Transfer,
    TransferFlags,
)
from escrow.ledger.general import (
    commit_transfers,
    create_accounts,
    create_transfers,
    expire_due,
    freeze_account,
    lift_account,
)
from escrow.ledger.group_commit import GroupCommit, LedgerBusy
from escrow.ledger.many import Pair, post_many
from escrow.ledger.mirror import Grounds, account, balance, free, holding, lock_case, lock_cases, post
from escrow.ledger.proofs import Fault, prove_ledger
from escrow.ledger.reading import (
    account_balances,
    account_transfers,
    lookup_accounts,
    lookup_transfers,
    query_accounts,
    query_transfers,
)

__all__ = [
    "ACCOUNT_CODES",
    "AMOUNT_MAX",
    "BATCH_MAX",
    "TRANSFER_CODES",
    "Account",
    "AccountBalance",
    "AccountFlags",
    "Fault",
    "Grounds",
    "GroupCommit",
    "LedgerBusy",
    "Outcome",
    "Pair",
    "Transfer",
    "TransferFlags",
    "account",
    "account_balances",
    "account_transfers",
    "balance",
    "commit_transfers",
    "create_accounts",
    "create_transfers",
    "expire_due",
    "free",
    "freeze_account",
    "holding",
    "lift_account",
    "lock_case",
    "lock_cases",
    "lookup_accounts",
    "lookup_transfers",
    "post",
    "post_many",
    "prove_ledger",
    "query_accounts",
    "query_transfers",
]
