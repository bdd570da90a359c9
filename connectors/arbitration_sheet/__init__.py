"""The labour arbitration court's weekly ledger: a GB18030 csv or an xlsx (contract/CONTRACT.md)."""
