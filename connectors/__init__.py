"""Connectors: one folder per adapter, found by its place; see ``connectors/registry.py``."""

from connectors.registry import Connector, all_connectors, connector, connectors_named

__all__ = ["Connector", "all_connectors", "connector", "connectors_named"]
