"""zeep over the wire: contracts are read from files only, calls go where the caller says and nowhere else.

zeep's client is not safe for threads and costs 40 ms to make, so each thread keeps one per contract.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import zeep
from lxml import etree

from foundation.wire import Wire, WireReply

_MOST_CONTRACTS = 16
_local = threading.local()


class AddressRefused(Exception):
    """zeep wanted to open an address that is no file of the contract."""


@dataclass(frozen=True)
class SoapReply:
    """What came of one call.

    `outcome` ANSWERED: `value` is what zeep made of the answer, or `fault` is set. NOT_SENT: nothing left.
    UNKNOWN: maybe arrived, or an answer that cannot be read. `raw`, `status`: the answer as it came.
    """

    outcome: Literal["ANSWERED", "NOT_SENT", "UNKNOWN"]
    value: Any = None
    fault: zeep.exceptions.Fault | None = None
    error: str = ""
    raw: bytes = b""
    status: int | None = None


class _Reply:
    """A wire reply in the shape that zeep reads."""

    def __init__(self, reply: WireReply) -> None:
        self.status_code = reply.status
        self.content = reply.content
        self.headers = {"Content-Type": reply.headers.get("content-type", "text/xml")}
        self.encoding = None


class _Trouble(Exception):
    def __init__(self, reply: WireReply) -> None:
        super().__init__(reply.error)
        self.reply = reply


class _WireTransport(zeep.Transport):
    """Reads files below one folder; posts over the wire of the call that is going on."""

    def __init__(self, folder: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._folder = folder.resolve()
        self.wire: Wire | None = None
        self.timeout_s = 10.0
        self.more_headers: Mapping[str, str] = {}
        self.last = b""
        self.last_status: int | None = None

    def load(self, url: str) -> bytes:
        """A file of the contract. Raises AddressRefused for anything else."""
        path = Path(url.removeprefix("file://")).resolve()
        if not path.is_relative_to(self._folder):
            raise AddressRefused(url)
        return path.read_bytes()

    def get(self, address: str, params: Any, headers: Any) -> Any:
        """Never: a contract is read from files."""
        raise AddressRefused(address)

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> _Reply:
        """Send over the wire; trouble there ends the call."""
        assert self.wire is not None
        all_headers = {**headers, **self.more_headers}
        reply = self.wire.request(
            "POST", address, headers=all_headers, content=message, timeout_s=self.timeout_s
        )
        self.last, self.last_status = reply.content, reply.status
        if reply.outcome != "ANSWERED":
            raise _Trouble(reply)
        return _Reply(reply)


@dataclass(frozen=True)
class _Made:
    client: Any
    transport: _WireTransport


def _made(wsdl: Path) -> _Made:
    kept: dict[Path, _Made] = getattr(_local, "made", None) or {}
    _local.made = kept
    if wsdl not in kept:
        if len(kept) >= _MOST_CONTRACTS:
            kept.clear()
        transport = _WireTransport(wsdl.parent)
        # A batch of 20 MB is one text of 27 MB: huge texts are let in, document types and entities are not.
        settings = zeep.Settings(
            strict=True, xml_huge_tree=True, forbid_dtd=True, forbid_entities=True, forbid_external=True
        )
        make: Any = zeep.Client
        kept[wsdl] = _Made(make(str(wsdl), transport=transport, settings=settings), transport)
    return kept[wsdl]


def _service(made: _Made, address: str) -> Any:
    bindings = list(made.client.wsdl.bindings)
    return made.client.create_service(bindings[0], address)


def call(
    wire: Wire,
    wsdl: Path,
    address: str,
    operation: str,
    *,
    timeout_s: float = 20.0,
    http_headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> SoapReply:
    """Call an operation of the first binding of a contract at `address`; never raises for trouble outside.

    `http_headers`: further HTTP headers. `fields`: the operation's parameters as zeep takes them. Raises zeep.exceptions.ValidationError or
    TypeError when they do not fit the contract.
    """
    made = _made(wsdl)
    transport = made.transport
    transport.wire, transport.timeout_s = wire, timeout_s
    transport.last, transport.last_status = b"", None
    transport.more_headers = dict(http_headers or {})
    error = ""
    try:
        value = getattr(_service(made, address), operation)(**fields)
        return SoapReply("ANSWERED", value, raw=transport.last, status=transport.last_status)
    except zeep.exceptions.Fault as fault:
        return SoapReply("ANSWERED", fault=fault, raw=transport.last, status=transport.last_status)
    except _Trouble as trouble:
        if trouble.reply.outcome == "NOT_SENT":
            return SoapReply("NOT_SENT", error=trouble.reply.error)
        error = trouble.reply.error
    except (zeep.exceptions.ValidationError, TypeError):
        if transport.last_status is None:
            raise
        error = "the answer does not fit the contract"
    except Exception as odd:  # zeep and lxml raise whatever an odd answer leads them to
        error = f"{type(odd).__name__}: {odd}"[:300]
    finally:
        transport.wire = None
    return SoapReply("UNKNOWN", error=error, raw=transport.last, status=transport.last_status)


def message(wsdl: Path, operation: str, **fields: Any) -> bytes:
    """The SOAP message of a call, as bytes; equal fields give equal bytes. Raises as `call` does."""
    made = _made(wsdl)
    service = _service(made, "http://localhost:0/")
    envelope = made.client.create_message(service, operation, **fields)
    return bytes(etree.tostring(envelope, xml_declaration=True, encoding="utf-8"))
