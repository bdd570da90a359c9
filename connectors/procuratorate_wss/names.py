"""Namespaces, algorithms and limits of this contract, in one place (CONTRACT.md, Transport and Limits)."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTRACT = HERE / "contract"

SOAP = "http://www.w3.org/2003/05/soap-envelope"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
COLLAB = "urn:ouqi-jcy:collab:v2"
DS = "http://www.w3.org/2000/09/xmldsig#"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = _OASIS + "wssecurity-secext-1.0.xsd"
WSU = _OASIS + "wssecurity-utility-1.0.xsd"
X509V3 = _OASIS + "x509-token-profile-1.0#X509v3"
PASSWORD_DIGEST = _OASIS + "username-token-profile-1.0#PasswordDigest"
BASE64_BINARY = _OASIS + "soap-message-security-1.0#Base64Binary"

# The only algorithms that are taken; anything else is refused, never tried.
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
LEAST_RSA_BITS = 2048

WSU_ID = f"{{{WSU}}}Id"

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

SECURITY_PATH = "/Envelope/Header/Security"


def soap(name: str) -> str:
    return f"{{{SOAP}}}{name}"


def wsse(name: str) -> str:
    return f"{{{WSSE}}}{name}"


def wsu(name: str) -> str:
    return f"{{{WSU}}}{name}"


def ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def collab(name: str) -> str:
    return f"{{{COLLAB}}}{name}"
