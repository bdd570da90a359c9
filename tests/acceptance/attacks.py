"""Bad input in every form that one can send without knowing the service: broken text, entities, lies, sizes."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.acceptance.senders import Headers, Sender

# Nobody pays or freezes nothing, but a claim may be of nothing.
NOTHING = ("0", "")
# Other ways to write a right number, which some contracts take.
WIDE_FORMS = ("１２", "1e5")


class Attack(NamedTuple):
    """One call. ``must``: it may not be taken; else it is enough that the answer is in order."""

    name: str
    body: bytes
    headers: Headers
    must: bool = True
    method: str = "POST"


def wire_attacks(sender: Sender, listener: str) -> Iterator[Attack]:
    """Attacks on the wire body itself. ``listener``: an address that nobody may be made to call."""
    right, headers = sender.seal(sender.right())
    yield from _texts(sender, right, headers)
    if sender.kind == "soap":
        yield from _xml(right, headers, listener)
    if sender.kind == "json":
        yield from _json(right, headers)
    yield from _http(sender, right, headers)


def _texts(sender: Sender, right: bytes, headers: Headers) -> Iterator[Attack]:
    yield Attack("empty body", b"", headers)
    yield Attack("not of the form at all", "这不是报文".encode(), headers)
    yield Attack("cut off", right[: len(right) // 2], headers)
    yield Attack("doubled", right + right, headers)
    yield Attack("bytes that are not UTF-8", right[:300] + b"\xff\xfe" + right[300:], headers)
    yield Attack("UTF-16", right.decode("utf-8").encode("utf-16"), headers)
    yield Attack("GB18030 under the name of UTF-8", _chinese(right).encode("gb18030"), headers)
    yield Attack("NUL bytes", right.replace(b"<", b"\x00<", 5) if b"<" in right else b"\x00" + right, headers)
    yield Attack("only NUL bytes", b"\x00" * 10_000, headers)
    yield Attack("over the limit", right + b" " * (sender.limit + 1 - len(right)), headers)
    yield Attack("packed", gzip.compress(right), {**headers, "Content-Encoding": "gzip"})
    yield Attack("packed bomb", gzip.compress(b" " * 20_000_000), {**headers, "Content-Encoding": "gzip"})


def _chinese(right: bytes) -> str:
    text = right.decode("utf-8")
    return (
        text
        if re.search("[\u4e00-\u9fff]", text)
        else text.replace("<", "瓯栖县<", 3).replace("=", "=瓯栖县", 1)
    )


WHERE = re.compile(rb">[^<>]*[^<>\s][^<>]{2,}<")


def _declared(right: bytes, doctype: str, call: bytes = b">&e;<") -> bytes:
    """The message with a document type declaration before it and `call` in place of its first text."""
    head, _, rest = right.partition(b"?>")
    return head + b"?>" + doctype.encode() + WHERE.sub(lambda _: call, rest, count=1)


def _declarations(right: bytes, headers: Headers, listener: str) -> Iterator[Attack]:
    for name, target in (("file", "file:///etc/passwd"), ("network", listener)):
        yield Attack(
            f"external entity, {name}",
            _declared(right, f'<!DOCTYPE x [<!ENTITY e SYSTEM "{target}">]>'),
            headers,
        )
    yield Attack(
        "external subset", _declared(right, f'<!DOCTYPE x SYSTEM "{listener}/x.dtd">', b">x<"), headers
    )
    yield Attack(
        "parameter entity",
        _declared(right, f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{listener}/p"> %p;]>', b">x<"),
        headers,
    )
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    yield Attack(
        "entity bomb", _declared(right, f'<!DOCTYPE x [<!ENTITY e0 "{"a" * 50}">{bomb}]>', b">&e9;<"), headers
    )
    yield Attack(
        "one long entity",
        _declared(right, f'<!DOCTYPE x [<!ENTITY e "{"a" * 50_000}">]>', b">" + b"&e;" * 2000 + b"<"),
        headers,
    )


def _xml(right: bytes, headers: Headers, listener: str) -> Iterator[Attack]:
    yield from _declarations(right, headers, listener)
    yield Attack("undeclared entity", _declared(right, "", b">&nobody;<"), headers)
    yield Attack("document type in lower case", _declared(right, "<!doctype html>", b">x<"), headers)
    deep = b"<a>" * 50_000 + b"</a>" * 50_000
    yield Attack("deep nesting", WHERE.sub(lambda _: b">" + deep + b"<", right, count=1), headers)
    many = b" ".join(b'a%d="1"' % n for n in range(50_000))
    yield Attack("many attributes", WHERE.sub(lambda _: b"><a " + many + b"/><", right, count=1), headers)
    yield Attack("character reference to NUL", WHERE.sub(b">&#0;<", right, count=1), headers)
    yield Attack("lone surrogate reference", WHERE.sub(b">&#xD800;<", right, count=1), headers)
    yield Attack("another root", b'<?xml version="1.0"?><html><body/></html>', headers)
    yield Attack(
        "another envelope namespace",
        right.replace(b"soap/envelope/", b"soap/envelope2/").replace(b"soap-envelope", b"soap-envelope2"),
        headers,
    )
    yield Attack("no body", re.sub(rb"<(\w+:)?Body.*</(\w+:)?Body>", b"", right, flags=re.DOTALL), headers)
    yield Attack(
        "empty body element",
        re.sub(rb"(<(?:\w+:)?Body[^>]*>).*(</(?:\w+:)?Body>)", rb"\1\2", right, flags=re.DOTALL),
        headers,
    )
    yield Attack(
        "unknown encoding",
        right.replace(b"utf-8", b"no-such-set", 1).replace(b"UTF-8", b"no-such-set", 1),
        headers,
    )
    yield Attack(
        "declared GB18030, is UTF-8",
        re.sub(rb"(?i)encoding=.utf-8.", b'encoding="GB18030"', right, count=1),
        headers,
        must=not right.isascii(),
    )
    yield Attack(
        "xinclude",
        WHERE.sub(
            b'><x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/><',
            right,
            count=1,
        ),
        headers,
    )


def _json(right: bytes, headers: Headers) -> Iterator[Attack]:
    first = re.search(rb'"(\w+)":', right)
    assert first is not None
    yield Attack("key twice", right.replace(b"{", b'{"' + first[1] + b'": "other", ', 1), headers)
    for value in (b"null", b"[]", b"{}", b'"x"', b"1", b"NaN", b"true", b"[" * 200_000, b'{"a":' * 50_000):
        yield Attack(f"JSON {value[:12].decode()}", value, headers)
    yield Attack(
        "a number of 10000 digits", right.replace(b"{", b'{"n": ' + b"9" * 10_000 + b", ", 1), headers
    )
    yield Attack("1e999999999", right.replace(b"{", b'{"n": 1e999999999, ', 1), headers)
    yield Attack("Infinity", right.replace(b"{", b'{"n": -Infinity, ', 1), headers)
    yield Attack("lone surrogate", right.replace(b"{", b'{"n": "\\ud800", ', 1), headers)
    yield Attack("NUL in a key", right.replace(b"{", b'{"a\\u0000b": 1, ', 1), headers)
    yield Attack("text behind the end", right + b"x", headers)


def _http(sender: Sender, right: bytes, headers: Headers) -> Iterator[Attack]:
    for media in ("text/plain", "application/octet-stream", "multipart/form-data; boundary=x", "image/png"):
        # Some contracts do not state the content type: a right message under another one may be taken.
        yield Attack(f"content type {media}", right, {**headers, "Content-Type": media}, must=False)
    without = {name: value for name, value in headers.items() if name != "Content-Type"}
    yield Attack("no content type", right, without, must=False)
    yield Attack(
        "charset in the content type lies",
        right,
        {**headers, "Content-Type": headers["Content-Type"].split(";")[0] + "; charset=gb18030"},
        must=False,
    )
    for name, value in sender.other.items():
        yield Attack(f"{name} names another operation", right, {**headers, name: value})
    if "SOAPAction" in headers:
        yield Attack("SOAPAction of nobody", right, {**headers, "SOAPAction": '"urn:nobody#Nothing"'})
    yield Attack("huge header", right, {**headers, "X-Much": "a" * 60_000})
    yield Attack("many headers", right, {**headers, **{f"X-{n}": "a" * 60 for n in range(700)}})
    for method in ("GET", "PUT", "DELETE"):
        yield Attack(f"method {method}", b"" if method == "GET" else right, headers, method=method)


def content_attacks(sender: Sender) -> Iterator[Attack]:
    """Attacks inside a message that is rightly sealed: sums, codes, and what its form allows."""
    for pattern, shape in sender.amounts:
        for value in ("0", "-1", "1.001", "NaN", "Infinity", "1e5", "１２", "12,34", "9" * 40, "", "0x10"):
            name = f"sum {shape % value[:12]}"
            must = value not in WIDE_FORMS and (sender.money or value not in NOTHING)
            yield Attack(name, *sender.seal(sender.changed(pattern, shape % value)), must=must)
    for pattern, shape in sender.codes:
        for value in ("ZZ-NO-SUCH", "' OR 1=1 --", "%00", "../../etc/passwd", "é" * 300):
            yield Attack(f"code {value[:12]!r}", *sender.seal(sender.changed(pattern, shape % value)))
