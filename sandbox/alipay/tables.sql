-- The wallet's own book. One payout and one return an order; the pool is never below zero.

CREATE TABLE IF NOT EXISTS alipay_pool (
  account TEXT PRIMARY KEY, balance_fen INTEGER NOT NULL DEFAULT 0 CHECK (balance_fen >= 0));

CREATE TABLE IF NOT EXISTS alipay_order (
  out_biz_no TEXT PRIMARY KEY, digest TEXT NOT NULL, order_id TEXT NOT NULL UNIQUE, pay_fund_order_id TEXT NOT NULL,
  fen INTEGER NOT NULL CHECK (fen > 0), identity TEXT NOT NULL, identity_type TEXT NOT NULL, name TEXT NOT NULL,
  title TEXT NOT NULL, remark TEXT NOT NULL, created_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('DEALING', 'SUCCESS', 'FAIL', 'REFUND')),
  pay_date TEXT, error_code TEXT NOT NULL DEFAULT '', fail_reason TEXT NOT NULL DEFAULT '',
  requests INTEGER NOT NULL DEFAULT 1);

CREATE TABLE IF NOT EXISTS alipay_line (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL REFERENCES alipay_pool (account),
  kind TEXT NOT NULL CHECK (kind IN ('top_up', 'payout', 'refund')), trade_no TEXT NOT NULL, reference TEXT NOT NULL,
  fen INTEGER NOT NULL CHECK (fen <> 0), at TEXT NOT NULL, bill_date TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS alipay_once ON alipay_line (kind, reference);
CREATE INDEX IF NOT EXISTS alipay_line_day ON alipay_line (bill_date);
CREATE TRIGGER IF NOT EXISTS alipay_line_moves_pool AFTER INSERT ON alipay_line BEGIN
  UPDATE alipay_pool SET balance_fen = balance_fen + NEW.fen WHERE account = NEW.account;
END;
CREATE TRIGGER IF NOT EXISTS alipay_line_stays BEFORE UPDATE ON alipay_line
BEGIN SELECT RAISE(ABORT, 'a line is never changed'); END;
CREATE TRIGGER IF NOT EXISTS alipay_line_kept BEFORE DELETE ON alipay_line
BEGIN SELECT RAISE(ABORT, 'a line is never deleted'); END;

CREATE TABLE IF NOT EXISTS alipay_script (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, out_biz_no TEXT NOT NULL, told TEXT NOT NULL,
  times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alipay_payee (
  identity TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('ok', 'absent')));
CREATE TABLE IF NOT EXISTS alipay_binding (story_no TEXT PRIMARY KEY, out_biz_no TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS alipay_notify (
  id INTEGER PRIMARY KEY AUTOINCREMENT, notify_id TEXT NOT NULL UNIQUE, out_biz_no TEXT NOT NULL, fields TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('DUE', 'TAKEN', 'GIVEN_UP')), attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT NOT NULL, last_answer TEXT NOT NULL DEFAULT '', bad_sign INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS alipay_notify_due ON alipay_notify (id) WHERE state = 'DUE';
