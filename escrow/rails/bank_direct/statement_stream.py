"""A camt.052, .053 or .054 of any size, read in pieces: bounded memory, the XSD checked on the way.

A piece ends behind an entry and is made a whole document again by the head of the file and the closing tags, so the
parser and the schema see every byte once and in its place. Pieces are parsed, checked and taken apart by threads
while the lines of the one before are made; all of that runs outside Python's lock.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from lxml import etree

from escrow.rail_types import Advice, RailContext, StatementInfo, StatementLine
from escrow.rails.bank_direct import entries, statements
from escrow.rails.bank_direct.iso import (
    CAMT_052,
    CAMT_053,
    CAMT_054,
    NAMESPACE,
    every,
    refuse,
    text,
    validated,
)
from schemas.findings import Finding
from schemas.xml_safe import parse_xml

MAX_BYTES = 1024 * 1024 * 1024
PIECE = 1024 * 1024
MOST_OF_A_PIECE = 16 * PIECE  # an entry, or what stands before the first one, is never so long
MOST_FINDINGS = 100
THREADS, AHEAD = 2, 2
_HEAD = 4096
_ENCODINGS = {"UTF-8": "", "UTF8": "", "GB18030": "gb18030", "GBK": "gbk", "GB2312": "gbk"}
_ROOT = re.compile(
    rb"<(?:(?P<prefix>[\w.-]{1,32}):)?Document\s[^>]{0,2000}?urn:iso:std:iso:20022:tech:xsd:(?P<type>[a-z]{4}\.\d{3}\.\d{3}\.\d{2})"
)


@dataclass(frozen=True)
class _Form:
    """How the file is written: message type, codec ("" = UTF-8), and the tags that end an entry and the message."""

    message_type: str
    codec: str
    entry_end: bytes
    closing: bytes


@dataclass(frozen=True)
class _Part:
    """One statement's element in a piece; `told`: its entries there, as `entries.extract` gives them."""

    element: etree._Element
    told: str
    continued: bool


def stream(file: IO[bytes], ctx: RailContext) -> Iterator[StatementInfo | StatementLine | Advice]:
    """Each statement of the file followed by its lines; at last an Advice with the message's id and its findings.

    `file`: from its beginning. Raises Refused for a file that cannot be read, as `iso.parse_document` does.
    """
    first = file.read(_HEAD)
    form = _form_of(first)
    findings: list[Finding] = []
    message_id = ""
    head: entries.Head | None = None
    element, sums = None, entries.Sums()
    for piece_id, parts in _read_ahead(_pieces(_blocks(file, first, form), form), form):
        message_id = message_id or piece_id
        for part in parts:
            if not part.continued:
                findings += _end(element, head, sums)
                head, element, sums = (
                    statements.head_of(part.element, _kind(form), ctx),
                    part.element,
                    entries.Sums(),
                )
                yield head.info
            assert head is not None
            yield from entries.lines_of(part.element, part.told, head, sums, findings)
            if len(findings) >= MOST_FINDINGS:
                break
    findings += _end(element, head, sums)
    yield Advice(
        "statement",
        message_id=message_id,
        message_type=form.message_type,
        findings=tuple(findings[:MOST_FINDINGS]),
    )


def _kind(form: _Form) -> str:
    return statements.PARTS[form.message_type][1]


def _end(element: etree._Element | None, head: entries.Head | None, sums: entries.Sums) -> list[Finding]:
    if element is None or head is None or head.kind != "statement":
        return []
    return statements.check_whole(element, head.info, sums)


def _form_of(first: bytes) -> _Form:
    """What the first bytes say. Nothing but a declaration may stand before the root."""
    declared = re.match(
        rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""", first.removeprefix(codecs.BOM_UTF8)
    )
    named = declared[1].decode("ascii").upper() if declared else "UTF-8"
    if named not in _ENCODINGS or first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        refuse("ENCODING_MISMATCH", "/", f"declares {named}", "UTF-8, GB18030 or GBK")
    root = _ROOT.search(first)
    before = first[: root.start()] if root else first
    if re.search(rb"<!(?!--)", before):
        refuse("XML_DTD_FORBIDDEN", "/", "DOCTYPE", "no document type declaration")
    message_type = root["type"].decode("ascii") if root else ""
    if root is None or message_type not in (CAMT_052, CAMT_053, CAMT_054):
        found = message_type or "no Document of ISO 20022"
        refuse("SCHEMA_VIOLATION", "/Document", found, "a statement, report or notice")
    prefix = root["prefix"] + b":" if root["prefix"] else b""
    body = {CAMT_052: b"BkToCstmrAcctRpt", CAMT_053: b"BkToCstmrStmt", CAMT_054: b"BkToCstmrDbtCdtNtfctn"}[
        message_type
    ]
    names = (statements.PARTS[message_type][0].encode(), body, b"Document")
    closing = b"".join(b"</" + prefix + name + b">" for name in names)
    return _Form(message_type, _ENCODINGS[named], b"</" + prefix + b"Ntry>", closing)


def _blocks(file: IO[bytes], first: bytes, form: _Form) -> Iterator[bytes]:
    """The file in UTF-8, a block at a time, without its declaration. Raises Refused TOO_LARGE, ENCODING_MISMATCH."""
    decoder = codecs.getincrementaldecoder(form.codec)() if form.codec else None
    size, block, declared = 0, first, False
    while block:
        size += len(block)
        if size > MAX_BYTES:
            refuse("TOO_LARGE", "/", f"over {MAX_BYTES} bytes", f"at most {MAX_BYTES} bytes")
        if decoder is not None:
            try:
                block = decoder.decode(block).encode()
            except UnicodeDecodeError:
                refuse(
                    "ENCODING_MISMATCH",
                    "/",
                    f"bytes are not {form.codec.upper()}",
                    f"{form.codec.upper()}, as declared",
                )
        if not declared:
            block, declared = (
                re.sub(rb"^\s*<\?xml[^>]*\?>", b"", block.removeprefix(codecs.BOM_UTF8), count=1),
                True,
            )
        yield block
        block = file.read(PIECE)


def _pieces(blocks: Iterable[bytes], form: _Form) -> Iterator[tuple[bytes, bool]]:
    """Documents that hold the file's entries in order, and whether each begins within a statement."""
    head, rest, within = b"", b"", False
    for block in blocks:
        rest += block
        cut = rest.rfind(form.entry_end)
        if cut < 0:
            if len(rest) > MOST_OF_A_PIECE:
                refuse(
                    "TOO_LARGE",
                    "/",
                    f"{len(rest)} bytes without the end of an entry",
                    f"at most {MOST_OF_A_PIECE}",
                )
            continue
        cut += len(form.entry_end)
        if not head:
            begin = form.entry_end.replace(b"</", b"<")
            head = re.split(re.escape(begin[:-1]) + rb"[\s>]", rest, maxsplit=1)[0]
            yield rest[:cut] + form.closing, False
        else:
            yield head + rest[:cut] + form.closing, True
        within, rest = True, rest[cut:]
    yield (head + rest, True) if within else (rest, False)


def _read_ahead(pieces: Iterable[tuple[bytes, bool]], form: _Form) -> Iterator[tuple[str, list[_Part]]]:
    """Each piece's message id and statements, in order; at most a few are in memory at a time."""
    waiting: deque[Future[tuple[str, list[_Part]]]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="statement") as pool:
        for content, within in pieces:
            waiting.append(pool.submit(_take_apart, content, within, form))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _take_apart(content: bytes, within: bool, form: _Form) -> tuple[str, list[_Part]]:
    """Parse one piece, check it against the schema, and take its entries out. Raises Refused."""
    root = parse_xml(content, max_bytes=MOST_OF_A_PIECE + PIECE + len(form.closing))
    if etree.QName(root).namespace != NAMESPACE + form.message_type or not len(root):
        refuse("SCHEMA_VIOLATION", "/Document", str(root.tag), form.message_type)
    validated(root, form.message_type)
    found = [
        _Part(element, entries.extract(element), within and place == 0)
        for place, element in enumerate(every(root[0], statements.PARTS[form.message_type][0]))
    ]
    return text(root[0], "GrpHdr/MsgId"), found
