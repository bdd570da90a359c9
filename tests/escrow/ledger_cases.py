"""Every code of the general ledger in its order of precedence, and what stands after (ledger_tables.py plays them)."""

from __future__ import annotations

from escrow.ledger import AMOUNT_MAX

D, C = "DEBITS_MUST_NOT_EXCEED_CREDITS", "CREDITS_MUST_NOT_EXCEED_DEBITS"
POST, VOID = "POST_PENDING_TRANSFER", "VOID_PENDING_TRANSFER"
OVER = AMOUNT_MAX + 1

TABLES = {
    "accounts": f"""
        account 1 user_data_128=2 user_data_64=2 user_data_32=2 ledger=3 code=4 -> created
        account 0 {D} {C} bit9 timestamp=1 reserved=1 ledger=0 -> timestamp_must_be_zero
        account 0 {D} {C} bit9 reserved=1 ledger=0 -> reserved_field
        account 0 {D} {C} bit9 ledger=0 -> reserved_flag
        account 0 {D} {C} ledger=0 debits_posted=1 -> id_must_not_be_zero
        account max {D} {C} ledger=0 debits_posted=1 -> id_must_not_be_int_max
        account 5 IMPORTED timestamp=7 -> imported_not_supported
        account 1 {D} user_data_128=1 ledger=9 -> exists_with_different_flags
        account 1 user_data_128=1 user_data_64=1 ledger=9 -> exists_with_different_user_data_128
        account 1 user_data_128=2 user_data_64=1 ledger=9 -> exists_with_different_user_data_64
        account 1 user_data_128=2 user_data_64=2 user_data_32=1 ledger=9 -> exists_with_different_user_data_32
        account 1 user_data_128=2 user_data_64=2 user_data_32=2 ledger=9 code=9 -> exists_with_different_ledger
        account 1 user_data_128=2 user_data_64=2 user_data_32=2 ledger=3 code=9 -> exists_with_different_code
        account 1 user_data_128=2 user_data_64=2 user_data_32=2 ledger=3 code=4 -> exists
        account 2 {D} {C} debits_pending=1 ledger=0 -> flags_are_mutually_exclusive
        account 2 debits_pending=1 debits_posted=1 ledger=0 -> debits_pending_must_be_zero
        account 2 debits_posted=1 credits_pending=1 ledger=0 -> debits_posted_must_be_zero
        account 2 credits_pending=1 credits_posted=1 ledger=0 -> credits_pending_must_be_zero
        account 2 credits_posted=1 ledger=0 -> credits_posted_must_be_zero
        account 2 ledger=0 code=0 -> ledger_must_not_be_zero
        account 2 code=0 -> code_must_not_be_zero
        stands 1 0 0 0 0""",
    "accounts in chains": """
        account 7 -> created
        account 1 LINKED -> linked_event_failed
        account 2 LINKED -> linked_event_failed
        account 1 LINKED -> exists
        account 3 -> linked_event_failed
        account 1 -> created
        account 1 LINKED code=2 -> exists_with_different_flags
        account 2 -> linked_event_failed
        account 2 -> created
        account 3 LINKED -> linked_event_failed
        account 1 ledger=2 -> exists_with_different_ledger
        account 3 LINKED -> created
        account 4 -> created
        account 5 LINKED -> linked_event_failed
        account 6 LINKED -> linked_event_chain_open
        commit
        account 8 LINKED -> linked_event_chain_open
        stands 4 0 0 0 0""",
    "transfers by precedence": f"""
        account 1 -> created
        account 2 ledger=2 -> created
        account 3 -> created
        account 4 {D} -> created
        account 5 {C} -> created
        account 6 -> created
        commit
        transfer 90 6>4 500 -> created
        transfer 91 5>6 100 -> created
        transfer 92 1>6 200 -> created
        transfer 93 1>6 100 PENDING -> created
        transfer 94 6>3 210 -> created
        transfer 95 6>3 110 PENDING -> created
        commit
        transfer 7 0>0 9 IMPORTED timestamp=3 bit9 -> imported_not_supported
        transfer 0 0>0 9 PENDING timestamp=1 bit9 -> timestamp_must_be_zero
        transfer 0 0>0 9 PENDING bit9 -> reserved_flag
        transfer 7 1>3 9 KEEP_REST -> reserved_flag
        transfer 0 0>0 9 PENDING pending_id=1 -> id_must_not_be_zero
        transfer max 0>0 9 PENDING pending_id=1 -> id_must_not_be_int_max
        transfer 7 0>0 9 PENDING pending_id=1 -> debit_account_id_must_not_be_zero
        transfer 7 max>0 9 PENDING pending_id=1 -> debit_account_id_must_not_be_int_max
        transfer 7 8>0 9 PENDING pending_id=1 -> credit_account_id_must_not_be_zero
        transfer 7 8>max 9 PENDING pending_id=1 -> credit_account_id_must_not_be_int_max
        transfer 7 8>8 9 PENDING pending_id=1 -> accounts_must_be_different
        transfer 7 8>9 9 PENDING pending_id=1 ledger=0 -> pending_id_must_be_zero
        transfer 7 8>9 9 timeout=1 CLOSING_DEBIT ledger=0 -> timeout_reserved_for_pending_transfer
        transfer 7 8>9 9 CLOSING_DEBIT ledger=0 -> closing_transfer_must_be_pending
        transfer 7 8>9 9 CLOSING_CREDIT ledger=0 -> closing_transfer_must_be_pending
        transfer 7 8>9 9 PENDING ledger=0 code=0 -> ledger_must_not_be_zero
        transfer 7 8>9 9 PENDING ledger=9 code=0 -> code_must_not_be_zero
        transfer 7 8>9 9 PENDING ledger=9 -> debit_account_not_found
        transfer 7 1>3 1 -> id_already_failed
        transfer 8 1>9 9 PENDING ledger=9 -> credit_account_not_found
        transfer 8 1>3 1 -> id_already_failed
        commit
        transfer 7 1>3 1 -> id_already_failed
        transfer 9 1>2 1 PENDING ledger=9 -> accounts_must_have_the_same_ledger
        transfer 9 1>3 1 PENDING ledger=9 -> transfer_must_have_the_same_ledger_as_accounts
        transfer 9 1>3 {AMOUNT_MAX - 99} PENDING -> overflows_debits_pending
        transfer 9 1>3 {AMOUNT_MAX - 109} PENDING -> overflows_credits_pending
        transfer 9 1>3 {AMOUNT_MAX - 199} PENDING -> overflows_debits_posted
        transfer 9 1>3 {AMOUNT_MAX - 209} PENDING -> overflows_credits_posted
        transfer 9 1>3 {AMOUNT_MAX - 299} PENDING -> overflows_debits
        transfer 9 1>3 {AMOUNT_MAX - 319} PENDING -> overflows_credits
        transfer 9 1>3 {OVER} PENDING -> overflows_debits_pending
        transfer 9 1>3 {OVER} -> overflows_debits_posted
        transfer 9 4>5 501 -> exceeds_credits
        transfer 9 1>3 1 -> id_already_failed
        transfer 10 4>5 101 -> exceeds_debits
        transfer 10 1>3 1 -> id_already_failed
        commit
        transfer 11 1>3 123 PENDING timeout=1 -> created
        transfer 11 1>3 123 PENDING timeout=1 ledger=2 -> exists_with_different_ledger
        transfer 11 1>3 1 user_data_128=1 -> exists_with_different_flags
        transfer 11 3>1 1 PENDING timeout=1 -> exists_with_different_debit_account_id
        transfer 11 1>4 1 PENDING timeout=1 -> exists_with_different_credit_account_id
        transfer 11 1>3 1 PENDING timeout=1 user_data_128=1 -> exists_with_different_amount
        transfer 11 1>3 123 PENDING timeout=1 user_data_128=1 user_data_64=1 -> exists_with_different_user_data_128
        transfer 11 1>3 123 PENDING timeout=1 user_data_64=1 user_data_32=1 -> exists_with_different_user_data_64
        transfer 11 1>3 123 PENDING timeout=1 user_data_32=1 code=2 -> exists_with_different_user_data_32
        transfer 11 1>3 123 PENDING timeout=2 code=2 -> exists_with_different_timeout
        transfer 11 1>3 123 PENDING timeout=1 code=2 -> exists_with_different_code
        transfer 11 1>3 123 PENDING timeout=1 -> exists
        transfer 12 1>3 0 -> created
        stands 1 223 200 0 0
        stands 3 0 0 233 210""",
    "two phases": f"""
        account 1 -> created
        account 2 -> created
        commit
        transfer 1 1>2 15 -> created
        transfer 2 1>2 15 PENDING timeout=1000 -> created
        transfer 3 1>2 15 PENDING timeout=50 -> created
        transfer 4 1>2 15 PENDING timeout=1 -> created
        transfer 5 1>2 7 PENDING timeout=50 user_data_128=9 user_data_64=9 user_data_32=9 -> created
        transfer 6 1>2 1 PENDING -> created
        stands 1 53 15 0 0
        wait 1
        transfer 101 1>2 13 {POST} pending_id=2 user_data_128=1 -> created
        transfer 101 1>2 15 {VOID} pending_id=3 -> exists_with_different_flags
        transfer 101 1>2 13 {POST} pending_id=3 -> exists_with_different_pending_id
        transfer 101 1>2 14 {POST} pending_id=2 user_data_128=1 -> exists_with_different_amount
        transfer 101 1>2 13 {POST} pending_id=2 user_data_128=2 -> exists_with_different_user_data_128
        transfer 101 > 13 {POST} pending_id=2 user_data_128=1 -> exists
        transfer 101 > 13 {POST} pending_id=2 -> exists_with_different_user_data_128
        transfer 102 8>9 16 PENDING {POST} {VOID} -> flags_are_mutually_exclusive
        transfer 102 8>9 16 {VOID} BALANCING_DEBIT -> flags_are_mutually_exclusive
        transfer 102 8>9 16 {POST} BALANCING_CREDIT -> flags_are_mutually_exclusive
        transfer 102 8>9 16 {POST} CLOSING_CREDIT -> flags_are_mutually_exclusive
        transfer 102 8>9 16 {VOID} timeout=50 -> pending_id_must_not_be_zero
        transfer 102 8>9 16 {VOID} timeout=50 pending_id=max -> pending_id_must_not_be_int_max
        transfer 102 8>9 16 {VOID} timeout=50 pending_id=102 -> pending_id_must_be_different
        transfer 102 8>9 16 {VOID} timeout=50 pending_id=103 -> timeout_reserved_for_pending_transfer
        transfer 102 8>9 16 {VOID} pending_id=103 -> pending_transfer_not_found
        transfer 102 1>2 13 -> id_already_failed
        transfer 103 8>9 16 {VOID} pending_id=1 ledger=6 -> pending_transfer_not_pending
        transfer 103 8>9 16 {VOID} pending_id=3 ledger=6 -> pending_transfer_has_different_debit_account_id
        transfer 103 1>9 16 {VOID} pending_id=3 ledger=6 -> pending_transfer_has_different_credit_account_id
        transfer 103 1>2 16 {VOID} pending_id=3 ledger=6 code=7 -> pending_transfer_has_different_ledger
        transfer 103 1>2 16 {VOID} pending_id=3 ledger=1 code=7 -> pending_transfer_has_different_code
        transfer 103 1>2 16 {VOID} pending_id=3 ledger=1 code=1 -> exceeds_pending_transfer_amount
        transfer 103 1>2 14 {VOID} pending_id=3 -> pending_transfer_has_different_amount
        transfer 103 1>2 13 {POST} pending_id=2 -> pending_transfer_already_posted
        transfer 103 1>2 15 {VOID} pending_id=3 -> created
        transfer 104 1>2 13 {POST} pending_id=3 -> pending_transfer_already_voided
        transfer 104 1>2 15 {VOID} pending_id=4 -> pending_transfer_expired
        transfer 105 > 8 {POST} pending_id=5 -> exceeds_pending_transfer_amount
        transfer 105 > max {POST} pending_id=5 -> created
        transfer 105 > 7 {POST} pending_id=5 ledger=1 code=1 -> exists
        transfer 105 > max {POST} pending_id=5 user_data_128=9 -> exists
        transfer 105 > 6 {POST} pending_id=5 -> exists_with_different_amount
        transfer 106 > max-1 {POST} pending_id=6 -> exceeds_pending_transfer_amount
        transfer 106 > 0 {POST} pending_id=6 -> created
        transfer 106 > 0 {POST} pending_id=6 -> exists
        transfer 106 > max {POST} pending_id=6 -> exists_with_different_amount
        stands 1 0 35 0 0
        moved 105 7
        moved 106 0
        moved 104 nothing""",
    "a hold posted in parts": f"""
        account 1 -> created
        account 2 -> created
        commit
        transfer 1 1>2 100 PENDING -> created
        transfer 2 > 30 {POST} KEEP_REST pending_id=1 -> created
        transfer 2 > 30 {POST} KEEP_REST pending_id=1 -> exists
        stands 1 70 30 0 0
        transfer 3 > 71 {POST} KEEP_REST pending_id=1 -> exceeds_pending_transfer_amount
        transfer 3 > 50 {POST} KEEP_REST pending_id=1 -> created
        stands 2 0 0 20 80
        transfer 4 > 5 {POST} pending_id=1 -> created
        transfer 5 > 1 {POST} KEEP_REST pending_id=1 -> pending_transfer_already_posted
        stands 1 0 85 0 0
        transfer 11 1>2 10 PENDING timeout=5 -> created
        transfer 12 > 4 {POST} KEEP_REST pending_id=11 -> created
        transfer 13 > 5 {VOID} pending_id=11 -> pending_transfer_has_different_amount
        transfer 13 > 0 {VOID} pending_id=11 -> created
        moved 13 6
        transfer 21 1>2 10 PENDING timeout=5 -> created
        transfer 22 > 4 {POST} KEEP_REST pending_id=21 -> created
        commit
        transfer 23 > 3 {POST} KEEP_REST pending_id=21 -> created
        wait 5
        stands 1 0 96 0 0
        transfer 24 > 1 {POST} KEEP_REST pending_id=21 -> pending_transfer_expired
        transfer 31 1>2 10 PENDING -> created
        transfer 32 > max {POST} KEEP_REST pending_id=31 -> created
        transfer 33 > 0 {VOID} pending_id=31 -> pending_transfer_already_posted""",
    "chains of transfers": f"""
        account 1 {D} -> created
        account 2 -> created
        commit
        transfer 90 2>1 20 -> created
        transfer 1 1>2 15 LINKED -> linked_event_failed
        transfer 2 1>2 5 ledger=0 -> ledger_must_not_be_zero
        transfer 3 1>2 15 -> created
        transfer 4 1>2 2 LINKED PENDING -> linked_event_failed
        transfer 5 > 0 {VOID} LINKED pending_id=4 -> linked_event_failed
        transfer 6 1>2 100 LINKED -> exceeds_credits
        transfer 7 1>2 1 -> linked_event_failed
        transfer 4 1>2 2 LINKED PENDING -> created
        transfer 5 > 1 {POST} pending_id=4 -> created
        transfer 6 1>2 1 -> id_already_failed
        transfer 8 1>2 1 LINKED -> linked_event_failed
        transfer 9 1>2 1 LINKED -> linked_event_chain_open
        stands 1 0 16 0 20
        moved 8 nothing""",
    "balancing": f"""
        account 1 {D} -> created
        account 2 {C} -> created
        account 3 -> created
        account 9 -> created
        commit
        transfer 90 9>1 10 -> created
        transfer 91 1>9 1 PENDING -> created
        transfer 92 2>9 10 -> created
        transfer 93 9>2 2 PENDING -> created
        transfer 1 1>3 3 BALANCING_DEBIT -> created
        transfer 2 1>3 13 BALANCING_DEBIT -> created
        transfer 3 3>2 3 BALANCING_CREDIT -> created
        transfer 4 3>2 max-5 BALANCING_CREDIT -> created
        transfer 5 1>3 1 BALANCING_DEBIT -> created
        transfer 6 1>2 1 BALANCING_DEBIT BALANCING_CREDIT -> created
        transfer 1 1>3 2 BALANCING_DEBIT -> exists_with_different_amount
        transfer 1 1>3 4 BALANCING_DEBIT -> exists
        transfer 2 1>3 6 BALANCING_DEBIT -> exists
        transfer 4 3>2 max BALANCING_CREDIT -> exists
        stands 1 1 9 0 10
        stands 2 0 10 2 8
        moved 2 6
        moved 4 5
        moved 6 0
        transfer 7 1>3 5 BALANCING_CREDIT -> created
        transfer 8 9>2 3 PENDING BALANCING_CREDIT -> created
        moved 8 0""",
    "closing": f"""
        account 1 -> created
        account 2 -> created
        account 3 -> created
        commit
        transfer 1 1>2 15 -> created
        transfer 2 1>2 0 PENDING CLOSING_DEBIT -> created
        transfer 2 1>2 0 PENDING CLOSING_DEBIT -> exists
        transfer 3 1>2 5 -> debit_account_already_closed
        transfer 3 1>2 5 -> id_already_failed
        transfer 4 2>1 5 -> credit_account_already_closed
        stands 1 0 15 0 0 CLOSED
        transfer 5 1>2 0 {POST} pending_id=2 -> debit_account_already_closed
        transfer 6 1>2 0 {VOID} pending_id=2 -> created
        transfer 7 1>2 5 -> created
        transfer 8 1>2 10 PENDING timeout=1 -> created
        transfer 9 1>2 10 PENDING -> created
        transfer 10 1>2 0 PENDING CLOSING_CREDIT timeout=2 -> created
        transfer 11 1>2 10 {POST} pending_id=9 -> credit_account_already_closed
        transfer 12 1>2 10 {VOID} pending_id=9 -> created
        stands 2 0 0 10 20 CLOSED
        wait 1
        stands 2 0 0 0 20 CLOSED
        wait 1
        stands 2 0 0 0 20
        transfer 13 1>2 0 PENDING CLOSING_DEBIT CLOSING_CREDIT -> created
        transfer 14 1>3 5 -> debit_account_already_closed
        transfer 15 3>2 5 -> credit_account_already_closed
        stands 1 0 20 0 0 CLOSED""",
}
