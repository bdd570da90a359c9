"""The county procuratorate's collaboration service, as its contract publishes it."""
