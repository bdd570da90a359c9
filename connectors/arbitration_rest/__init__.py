"""The arbitration commission: REST pulled with a snapshot cursor, webhooks pushed (contract/CONTRACT.md)."""
