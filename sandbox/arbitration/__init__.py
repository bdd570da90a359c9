"""The arbitration commission's REST service and webhooks, as its contract publishes them."""
