"""HTTP message signatures (RFC 9421) with content digests (RFC 9530): one strict profile, checked and made here.

Exactly one signature, by name of a registered key, over method, authority, path and query (or the target URI), over
the body by its SHA-256 digest, and over those headers that change what a request means. `created` and `nonce` must be
there; at most five minutes lie between signing and expiry. What is not in this profile is refused, never guessed at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from foundation.algorithms import PrivateKey, PublicKey, algorithm_of, named, signature_of, verifies
from schemas.findings import Finding, Refused

LIFE_S = 300
SKEW_S = 60
MOST_COMPONENTS = 30
MOST_HEADER = 4096
TAG = "concord"
# Headers that change what a request does: where they are there, they are signed.
MEANING = ("content-type", "idempotency-key", "if-match", "if-none-match", "prefer")
_PATH = "header Signature-Input"
_WHOLE = re.compile(r'([a-z*][a-z0-9_.*-]{0,63})=(\(("[a-z0-9@_-]+"(?: "[a-z0-9@_-]+")*)\)((?:;[a-z*][a-z0-9_.*-]*=(?:"[ !#-\[\]-~]*"|-?[0-9]{1,15}))*))')  # fmt: skip  # noqa: E501
_PARAMETER = re.compile(r';([a-z*][a-z0-9_.*-]*)=(?:"([ !#-\[\]-~]*)"|(-?[0-9]{1,15}))')
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]{0,63})=:([A-Za-z0-9+/]*={0,2}):")
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_NONCE = re.compile(r"[!#-\[\]-~]{8,128}")
_FORM = 'one signature: label=("@method" …);created=…;keyid="…";nonce="…"'


@dataclass(frozen=True)
class Parts:
    """What a request says on the wire. ``headers``: names in lower case, each line by itself, in their order."""

    method: str
    scheme: str
    authority: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header that may be there once. Raises Refused where it is there twice."""
        found = [value for key, value in self.headers if key == name]
        if len(found) > 1:
            raise Refused(Finding("SIGNATURE_INVALID", f"header {name}", f"{len(found)} lines", "one line"))
        return found[0].strip(" \t") if found else None


@dataclass(frozen=True)
class Claimed:
    """What a request's signature says of itself, before anything is checked: read, not believed."""

    label: str
    key_id: str
    components: tuple[str, ...]
    parameters: str
    algorithm: str | None
    created: int
    expires: int
    nonce: str
    signature: bytes


def is_signed(parts: Parts) -> bool:
    """Whether the request bears a signature at all."""
    return any(name in ("signature-input", "signature") for name, _ in parts.headers)


def claimed(parts: Parts) -> Claimed:
    """Take the signature's headers apart. Raises Refused: SIGNATURE_MISSING or SIGNATURE_INVALID."""
    told, proof = parts.header("signature-input"), parts.header("signature")
    if told is None or proof is None:
        missing = "Signature-Input" if told is None else "Signature"
        raise Refused(Finding("SIGNATURE_MISSING", f"header {missing}", "absent", _FORM))
    found = _WHOLE.fullmatch(told) if len(told) <= MOST_HEADER else None
    given = _SIGNATURE.fullmatch(proof) if len(proof) <= MOST_HEADER else None
    if found is None:
        _invalid(_PATH, told[:100], _FORM)
    if given is None or given[1] != found[1]:
        _invalid("header Signature", proof[:100], f"{found[1]}=:base64:")
    components = tuple(found[3][1:-1].split('" "'))
    if len(set(components)) != len(components) or len(components) > MOST_COMPONENTS:
        _invalid(_PATH, "a component twice, or too many", f"each once, at most {MOST_COMPONENTS}")
    try:
        signature = base64.b64decode(given[2], validate=True)
    except (binascii.Error, ValueError):
        _invalid("header Signature", "not base64", "base64")
    return _with_parameters(found[1], components, found[2], found[4], signature)


def _with_parameters(
    label: str, components: tuple[str, ...], whole: str, told: str, signature: bytes
) -> Claimed:
    texts: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name, text, number in _PARAMETER.findall(told):
        if name in texts or name in numbers:
            _invalid(_PATH, f"{name} twice", "each parameter once")
        if number:
            numbers[name] = int(number)
        else:
            texts[name] = text
    if not {"created"} <= numbers.keys() <= {"created", "expires"}:
        _invalid(_PATH, ", ".join(numbers) or "no created", "created as a number, expires if you like")
    if not {"keyid", "nonce"} <= texts.keys() <= {"keyid", "nonce", "alg", "tag"}:
        _invalid(_PATH, ", ".join(texts) or "nothing", "keyid and nonce; alg and tag if you like")
    if texts.get("tag", TAG) != TAG:
        _invalid(f"{_PATH} tag", texts["tag"], TAG)
    if not _NONCE.fullmatch(texts["nonce"]):
        _invalid(
            f"{_PATH} nonce", texts["nonce"][:140], "8 to 128 characters without spaces, never used before"
        )
    created = numbers["created"]
    expires = min(numbers.get("expires", created + LIFE_S), created + LIFE_S)
    return Claimed(
        label,
        texts["keyid"],
        components,
        whole,
        texts.get("alg"),
        created,
        expires,
        texts["nonce"],
        signature,
    )


def check(parts: Parts, told: Claimed, key: PublicKey, now: datetime) -> None:
    """Check that the request is what the key's owner signed, and is fresh at ``now``.

    Raises Refused: ALGORITHM_UNSUPPORTED, TIMESTAMP_EXPIRED, DIGEST_MISMATCH, SIGNATURE_INVALID. That the nonce was not
    used before is for the caller to ask (``foundation/replays.py``), with the transaction that stores the message.
    """
    own = algorithm_of(key, "key")
    if told.algorithm is not None and named(told.algorithm, f"{_PATH} alg") is not own:
        _invalid(f"{_PATH} alg", told.algorithm, own.http)
    _check_fresh(told, now)
    _check_covered(parts, told)
    if parts.body or "content-digest" in told.components:
        _check_digest(parts)
    if not verifies(key, told.signature, signature_base(parts, told.components, told.parameters)):
        _invalid(
            "header Signature", "does not verify", f"{own.http} by {told.key_id} over the signature base"
        )


def _check_fresh(told: Claimed, now: datetime) -> None:
    at = now.timestamp()
    if told.created > at + SKEW_S:
        wanted = f"not in the future; our clock says {int(at)}"
        raise Refused(Finding("TIMESTAMP_EXPIRED", f"{_PATH} created", str(told.created), wanted))
    if told.expires <= told.created or told.expires + SKEW_S < at:
        wanted = f"signed within {LIFE_S} s; our clock says {int(at)}"
        raise Refused(Finding("TIMESTAMP_EXPIRED", f"{_PATH} expires", str(told.expires), wanted))


def _check_covered(parts: Parts, told: Claimed) -> None:
    covered = set(told.components)
    wanted = {"@method"}
    if "@target-uri" not in covered:
        wanted |= {"@authority", "@path"} | ({"@query"} if parts.query else set())
    present = {name for name, _ in parts.headers}
    wanted |= {name for name in MEANING if name in present}
    if parts.body:
        wanted |= {"content-digest", "content-type"}
    if not wanted <= covered:
        lacking = ", ".join(sorted(wanted - covered))
        _invalid(_PATH, f"does not cover {lacking}", ", ".join(sorted(wanted)))


def _check_digest(parts: Parts) -> None:
    told = parts.header("content-digest") or ""
    found = _DIGEST.fullmatch(told)
    if found is None:
        _invalid("header Content-Digest", told[:100] or "absent", "sha-256=:base64:")
    if not hmac.compare_digest(base64.b64decode(found[1]), hashlib.sha256(parts.body).digest()):
        raise Refused(Finding("DIGEST_MISMATCH", "header Content-Digest", told, content_digest(parts.body)))


def signature_base(parts: Parts, components: Sequence[str], parameters: str) -> bytes:
    """The bytes that are signed (RFC 9421, 2.5). Raises Refused: a component is unknown, absent or there twice."""
    lines = [f'"{name}": {_component(parts, name)}' for name in components]
    lines.append(f'"@signature-params": {parameters}')
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError:
        _invalid(_PATH, "a covered header that is not ASCII", "ASCII")


def _component(parts: Parts, name: str) -> str:
    if not name.startswith("@"):
        value = parts.header(name)
        if value is None:
            _invalid(_PATH, f"covers {name}, which is absent", "headers that are there")
        return value
    if name == "@method":
        return parts.method
    if name == "@authority":
        return authority_of(parts)
    if name == "@path":
        return parts.path or "/"
    if name == "@query":
        return f"?{parts.query}"
    if name == "@target-uri":
        return f"{parts.scheme}://{authority_of(parts)}{parts.path or '/'}" + (
            f"?{parts.query}" if parts.query else ""
        )
    if name == "@scheme":
        return parts.scheme
    _invalid(_PATH, name, "@method, @authority, @path, @query, @target-uri, @scheme and headers")


def authority_of(parts: Parts) -> str:
    """Host and port in lower case, without the scheme's own port (RFC 9421, 2.2.3)."""
    own = {"https": ":443", "http": ":80"}.get(parts.scheme, ":")
    return parts.authority.lower().removesuffix(own)


def content_digest(body: bytes) -> str:
    """The Content-Digest header's value (RFC 9530) of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(
    parts: Parts, *, key: PrivateKey, key_id: str, now: datetime, nonce: str, covered: Sequence[str] = ()
) -> Mapping[str, str]:
    """The headers that sign a request of ours: Content-Digest (with a body), Signature-Input, Signature.

    Parameters: ``nonce`` 8 to 128 characters, never used before; ``covered`` headers to sign besides those that the
    profile wants. ``now`` becomes `created`, in whole seconds; expiry is five minutes later.
    """
    made = dict(parts.headers)
    components = ["@method", "@authority", "@path", *(["@query"] if parts.query else [])]
    if parts.body:
        made["content-digest"] = content_digest(parts.body)
        components.append("content-digest")
    components += [name for name in dict.fromkeys((*MEANING, *covered)) if name in made]
    created = int(now.timestamp())
    parameters = (
        "(" + " ".join(f'"{name}"' for name in components) + ")"
        f';created={created};expires={created + LIFE_S};keyid="{key_id}";alg="{algorithm_of(key.public_key(), "key").http}"'
        f';nonce="{nonce}";tag="{TAG}"'
    )
    whole = Parts(
        parts.method, parts.scheme, parts.authority, parts.path, parts.query, tuple(made.items()), parts.body
    )
    signature = base64.b64encode(signature_of(key, signature_base(whole, components, parameters))).decode()
    signed = {"Signature-Input": f"sig={parameters}", "Signature": f"sig=:{signature}:"}
    return {**({"Content-Digest": made["content-digest"]} if parts.body else {}), **signed}


def _invalid(path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding("SIGNATURE_INVALID", path, found, expected))
