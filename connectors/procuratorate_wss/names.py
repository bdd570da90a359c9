"""Namespaces, algorithms and limits of this contract, in one place (CONTRACT.md, Transport and Limits)."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTRACT = HERE / "contract"

SOAP = "http://www.w3.org/2003/05/soap-envelope"
COLLAB = "urn:ouqi-jcy:collab:v2"

TIMESTAMP_LIFE_S = 300
SKEW_S = 60
MAX_ENVELOPE_BYTES = 30 * 1024 * 1024
MAX_ATTACHMENT_BYTES = 5 * 1024 * 1024
MAX_ATTACHMENTS = 5
LIST_MAX = 200

INSTITUTION = "330399J"
PARTNER = HERE.name
INBOUND_USER = "jcy330399"
OUTBOUND_USER = "hub"


def soap(name: str) -> str:
    return f"{{{SOAP}}}{name}"


def collab(name: str) -> str:
    return f"{{{COLLAB}}}{name}"
