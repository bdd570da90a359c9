"""The county court's data exchange, as its contract publishes it."""
