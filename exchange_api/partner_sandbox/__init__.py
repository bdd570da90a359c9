"""A hub of one's own for a partner's engineer: the real doors over a throw-away database, with every call explained."""
