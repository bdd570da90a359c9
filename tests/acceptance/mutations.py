"""Mutations of right messages: small changes of bytes and of trees, by a seed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random

from lxml import etree

NASTY = (
    "", " ", "0", "-1", "1.001", "NaN", "9" * 60, "2026-02-30", "2026-13-01T99:99:99", "'; DROP TABLE x; --", "<b>", "&amp;",
    "\u202e瓯", "𠮷" * 40, "a" * 5000, "../../x", "%n%s", "null", "true", "\ufffe"[:0] or "é", "12万余元", "３３０３９９",
)  # fmt: skip
BYTES = (
    b"<",
    b">",
    b"&",
    b'"',
    b"\x00",
    b"\xff",
    b"]]>",
    b"<!--",
    b"<?x?>",
    b"<![CDATA[",
    b"\r",
    b"&#x0;",
    b"\xc0\x80",
)


def of_bytes(content: bytes, chance: Random) -> bytes:
    """One to three changes anywhere."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(made))
        how = chance.randrange(4)
        if how == 0:
            made[at] = chance.randrange(256)
        elif how == 1:
            del made[at : at + chance.randint(1, 200)]
        elif how == 2:
            made[at:at] = chance.choice(BYTES)
        else:
            made[at:at] = made[at : at + chance.randint(1, 400)]
        if not made:
            return b""
    return bytes(made)


def of_tree(content: bytes, chance: Random) -> bytes:
    """One to three changes of elements; the result is well-formed."""
    root = etree.fromstring(content)
    for _ in range(chance.randint(1, 3)):
        elements = [each for each in root.iter() if isinstance(each.tag, str)]
        chance.choice(CHANGES)(chance.choice(elements), chance)
    return etree.tostring(root, encoding="utf-8")


def _drop(element: etree._Element, chance: Random) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _double(element: etree._Element, chance: Random) -> None:
    if element.getparent() is not None:
        element.addnext(copy.deepcopy(element))


def _say(element: etree._Element, chance: Random) -> None:
    element.text = chance.choice(NASTY)


def _rename(element: etree._Element, chance: Random) -> None:
    name = etree.QName(element)
    element.tag = chance.choice(
        [f"{{urn:other}}{name.localname}", f"{{{name.namespace or 'urn:x'}}}other", "Envelope"]
    )


def _attribute(element: etree._Element, chance: Random) -> None:
    element.set(
        chance.choice(["Id", "href", "{http://www.w3.org/2001/XMLSchema-instance}nil", "type"]), "true"
    )


def _move(element: etree._Element, chance: Random) -> None:
    parent = element.getparent()
    if parent is not None and parent.getparent() is not None:
        parent.addprevious(element)


def _fill(element: etree._Element, chance: Random) -> None:
    for _ in range(chance.randint(1, 20)):
        etree.SubElement(element, chance.choice(["R", "Person", "{urn:x}a", "Attachment"])).text = "x"


CHANGES: tuple[Callable[[etree._Element, Random], None], ...] = (
    _drop, _double, _say, _say, _say, _rename, _attribute, _move, _fill,
)  # fmt: skip
