"""Patterns of texts in request bodies, as the description tells them too."""

from __future__ import annotations

# Something is said: not blanks alone.
SAID = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
# One line, without control characters.
ONE_LINE = r"^[^\u0000-\u001f\u007f]*$"
