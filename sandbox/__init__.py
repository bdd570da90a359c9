"""Stand-ins for the partners and banks, written from their published contracts only; run as their own processes."""
