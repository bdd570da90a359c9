"""Constants of the bank's profile, as its contract states them."""

from __future__ import annotations

PARTNER = "bank"
INSTITUTION = "OQNCB"
BANK_NAME = "瓯栖农村合作银行"
BANK_CODE = "402339900017"
PARENT = "9900339900000100000"
OUTSIDE = "-"  # the book's account for the world beyond this bank; not an account number
OWNER = "瓯栖县司法局调解款专户"
SUBACCOUNT_STEM = "9900339900000"
SUBACCOUNT_FIRST = 140000  # the contract's examples and stories use 12xxxx and 13xxxx
# Money paid to this account lands in the payout account of the licensed wallet (the other stand-in of this process).
WALLET_ACCOUNT = "9900339900000900001"

PAIN_001, PAIN_002 = "pain.001.001.09", "pain.002.001.10"
CAMT_052, CAMT_053, CAMT_054 = "camt.052.001.08", "camt.053.001.08", "camt.054.001.08"
CAMT_055, CAMT_029, PACS_004 = "camt.055.001.09", "camt.029.001.10", "pacs.004.001.09"
MSG_TYPES = (PAIN_001, PAIN_002, CAMT_052, CAMT_053, CAMT_054, PACS_004, CAMT_055, CAMT_029)
FROM_HUB = (PAIN_001, CAMT_055)
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"

MAX_BODY = 5 * 1024 * 1024
MAX_PAYMENTS = 500
CALLS_PER_S = 5
TEXT_CUT = 35  # habit 3
LARGE_FEN = 500_000_000  # 5,000,000.00 yuan
# Waits between pushes of a message that was not answered with A00000: then every 4 h for 5 days.
REPUSH_MINUTES = (5, 15, 60, *([240] * 30))
