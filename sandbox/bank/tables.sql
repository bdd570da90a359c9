-- The bank's own book and post. The CHECKs and triggers make the book the judge: it cannot pay twice or from nothing.

CREATE TABLE IF NOT EXISTS bank_account (
  number TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('ESC', 'VSA', 'OUT')),        -- parent, sub-account, the world outside
  case_ref TEXT, case_name TEXT, opened_on TEXT NOT NULL,
  balance_fen INTEGER NOT NULL DEFAULT 0 CHECK (kind = 'OUT' OR balance_fen >= 0),
  closing_fen INTEGER NOT NULL DEFAULT 0,                           -- of the last statement
  statement_no INTEGER NOT NULL DEFAULT 0, stated_to TEXT NOT NULL DEFAULT '',
  notice_no INTEGER NOT NULL DEFAULT 0, report_no INTEGER NOT NULL DEFAULT 0);

CREATE TABLE IF NOT EXISTS bank_entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('deposit', 'payout', 'return', 'reversal', 'deduction', 'move')),
  at TEXT NOT NULL, e2e TEXT, other_name TEXT NOT NULL DEFAULT '', other_account TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', reason_text TEXT NOT NULL DEFAULT '',
  reverses INTEGER REFERENCES bank_entry (id), sealed INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS bank_paid_once ON bank_entry (e2e) WHERE kind = 'payout';
CREATE UNIQUE INDEX IF NOT EXISTS bank_reversed_once ON bank_entry (reverses) WHERE reverses IS NOT NULL;

CREATE TABLE IF NOT EXISTS bank_posting (
  entry INTEGER NOT NULL REFERENCES bank_entry (id), account TEXT NOT NULL REFERENCES bank_account (number),
  fen INTEGER NOT NULL CHECK (fen <> 0),                            -- above zero: credit of this account
  ref TEXT NOT NULL, biz_date TEXT NOT NULL, statement_no INTEGER,
  PRIMARY KEY (entry, account));
CREATE INDEX IF NOT EXISTS bank_posting_unstated ON bank_posting (account, biz_date) WHERE statement_no IS NULL;
CREATE INDEX IF NOT EXISTS bank_posting_ref ON bank_posting (account, biz_date, ref);

CREATE TRIGGER IF NOT EXISTS bank_posting_moves_balance AFTER INSERT ON bank_posting BEGIN
  UPDATE bank_account SET balance_fen = balance_fen + NEW.fen WHERE number = NEW.account;
END;
CREATE TRIGGER IF NOT EXISTS bank_posting_stays BEFORE UPDATE OF entry, account, fen, ref, biz_date ON bank_posting
BEGIN SELECT RAISE(ABORT, 'a posting is never changed'); END;
CREATE TRIGGER IF NOT EXISTS bank_posting_kept BEFORE DELETE ON bank_posting
BEGIN SELECT RAISE(ABORT, 'a posting is never deleted'); END;
CREATE TRIGGER IF NOT EXISTS bank_posting_late BEFORE INSERT ON bank_posting
WHEN (SELECT sealed FROM bank_entry WHERE id = NEW.entry) = 1
BEGIN SELECT RAISE(ABORT, 'the entry is sealed'); END;
CREATE TRIGGER IF NOT EXISTS bank_entry_balances BEFORE UPDATE OF sealed ON bank_entry
WHEN NEW.sealed = 1 AND (SELECT count(*) < 2 OR sum(fen) <> 0 FROM bank_posting WHERE entry = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an entry has two sides and sums to zero'); END;

CREATE TABLE IF NOT EXISTS bank_hold (
  account TEXT NOT NULL REFERENCES bank_account (number), document_no TEXT NOT NULL,
  fen INTEGER NOT NULL CHECK (fen >= 0), made_at TEXT NOT NULL, lifted_at TEXT,
  PRIMARY KEY (account, document_no));

CREATE TABLE IF NOT EXISTS bank_statement (
  account TEXT NOT NULL, number INTEGER NOT NULL, biz_date TEXT NOT NULL, opening_fen INTEGER NOT NULL,
  closing_fen INTEGER NOT NULL, entries INTEGER NOT NULL, message_id TEXT NOT NULL,
  PRIMARY KEY (account, number));

CREATE TABLE IF NOT EXISTS bank_received (
  request_id TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bank_file (
  msg_id TEXT PRIMARY KEY, request_id TEXT NOT NULL, received_at TEXT NOT NULL, payments INTEGER NOT NULL,
  status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bank_payment (
  e2e TEXT PRIMARY KEY, instr_id TEXT NOT NULL, msg_id TEXT NOT NULL, info_id TEXT NOT NULL, account TEXT NOT NULL,
  fen INTEGER NOT NULL CHECK (fen > 0), payee_name TEXT NOT NULL, payee_id TEXT NOT NULL, payee_account TEXT NOT NULL,
  payee_bank TEXT NOT NULL, text TEXT NOT NULL, requested_on TEXT NOT NULL, received_at TEXT NOT NULL,
  due_at TEXT,                                                      -- NULL: moves by order only
  state TEXT NOT NULL CHECK (state IN ('ACSP', 'PDNG', 'ACSC', 'RJCT', 'RTND', 'CANC')),
  speaks INTEGER NOT NULL DEFAULT 1,                                -- 0: no word of it but statement and query
  reason TEXT NOT NULL DEFAULT '', reason_text TEXT NOT NULL DEFAULT '', entry INTEGER REFERENCES bank_entry (id),
  bank_ref TEXT, booked_at TEXT, submissions INTEGER NOT NULL DEFAULT 1);
CREATE INDEX IF NOT EXISTS bank_payment_due ON bank_payment (due_at) WHERE state IN ('ACSP', 'PDNG');
CREATE TABLE IF NOT EXISTS bank_return (
  rtr_id TEXT PRIMARY KEY, e2e TEXT NOT NULL REFERENCES bank_payment (e2e), fen INTEGER NOT NULL CHECK (fen > 0),
  reason TEXT NOT NULL, reason_text TEXT NOT NULL, msg_id TEXT NOT NULL, at TEXT NOT NULL,
  entry INTEGER REFERENCES bank_entry (id));

CREATE TABLE IF NOT EXISTS bank_policy (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, mode TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL,
  account TEXT NOT NULL, e2e TEXT NOT NULL, times INTEGER);         -- times NULL: until changed
CREATE TABLE IF NOT EXISTS bank_payee (
  account TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('ok', 'closed', 'frozen')));
CREATE TABLE IF NOT EXISTS bank_binding (story_id TEXT PRIMARY KEY, e2e TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS bank_outbound (
  seq INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, msg_type TEXT NOT NULL, biz_date TEXT NOT NULL,
  sent_at TEXT NOT NULL, encoding TEXT NOT NULL, payload BLOB NOT NULL, sha256 TEXT NOT NULL, key_id TEXT NOT NULL,
  signature TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('DUE', 'TAKEN', 'GIVEN_UP', 'SHELVED')),
  attempts INTEGER NOT NULL DEFAULT 0, due_at TEXT NOT NULL, last_code TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS bank_outbound_due ON bank_outbound (seq) WHERE state = 'DUE';
