"""A synthetic history of disputes of the made-up county 330399, as five agencies would tell it, with the truth beside.

`generate(disputes, seed)` streams; `python -m sandbox.history` writes. The same numbers give the same bytes.
"""

from sandbox.history.stream import Told, generate

__all__ = ["Told", "generate"]
