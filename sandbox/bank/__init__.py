"""The stand-in of the escrow bank: its direct link, its own double-entry book and its post, from `contract/` only."""
