"""Instruction numbers: a pure function of the case's prefix, what the order is for, and its ordinal (I5).

    prefix OQ27000011I       → OQ27000011I1, OQ27000011I2 …     a prefix that ends with a letter
    prefix OQAL202700000009  → OQAL202700000009, …N2, …N3        one that ends with a digit is itself the first number
    refunds                  → prefix + R, R2 …                  moves between custody accounts: prefix + T1, T2 …

An ordinal is given to an order when it is drafted and is free again when the order never left (cancelled, stopped).
"""

from __future__ import annotations

import re

GRAMMAR = re.compile(r"[A-Z0-9]{1,32}")


def instruction_number(prefix: str, purpose: str, ordinal: int) -> str:
    """The number of the `ordinal`-th instruction (from 1). Raises ValueError on a prefix outside `[A-Z0-9]`."""
    if ordinal < 1:
        raise ValueError("ordinals start at 1")
    if purpose == "REFUND":
        number = f"{prefix}R" if ordinal == 1 else f"{prefix}R{ordinal}"
    elif purpose == "TOP_UP":
        number = f"{prefix}T{ordinal}"
    elif prefix[-1:].isdigit():
        number = prefix if ordinal == 1 else f"{prefix}N{ordinal}"
    else:
        number = f"{prefix}{ordinal}"
    if GRAMMAR.fullmatch(number) is None:
        raise ValueError(f"not an instruction number: {number!r}")
    return number
