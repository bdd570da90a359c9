"""Takes one of this contract's envelopes apart: SOAP 1.2, within its limit (CONTRACT.md, Transport and Limits)."""

from __future__ import annotations

from connectors.procuratorate_wss import names
from foundation import wss_envelope
from foundation.wss_envelope import Envelope
from schemas.soap import SOAP12


def take_apart(raw: bytes) -> Envelope:
    """Parse and take apart. Raises Refused: XML faults, not a SOAP 1.2 envelope, parts doubled or misplaced."""
    return wss_envelope.take_apart(raw, max_bytes=names.MAX_ENVELOPE_BYTES, versions=(SOAP12,))
