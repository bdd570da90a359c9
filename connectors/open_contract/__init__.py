"""The open contract: how its messages are read from JSON and XML, and what they say in the registry's words.

Its partners are rows (exchange.partner), not folders; `contract/` is what they are given.
"""
