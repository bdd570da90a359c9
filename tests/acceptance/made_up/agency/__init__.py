"""A made-up agency's adapter, copied into a folder of its own when a test runs."""
