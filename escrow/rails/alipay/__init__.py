"""Alipay: transfers by the open platform in certificate mode, notifies, and the day's bill (contract/CONTRACT.md)."""

from escrow.rails.alipay.gateway import ask, bill_link, order, wrap
from escrow.rails.alipay.verify import answer, statement, verify

__all__ = ["answer", "ask", "bill_link", "order", "statement", "verify", "wrap"]
