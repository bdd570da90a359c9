"""The court's files: what kind of data an XML is, zip batches with proper names, all depending on content only."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from sandbox.soap import SoapTrouble, find_local, parse_xml

COURT = "3399"
KIND_OF_ROOT = {
    "民事案件": "AJXX",
    "刑事案件": "AJXX",
    "案件撤销": "AJCX",
    "司法确认": "SFQR",
    "协助执行": "XZZX",
    "执行立案": "ZXLA",
    "resource": "SQTJ",
}
KINDS = ("AJXX", "AJCX", "SFQR", "XZZX", "ZXLA", "SQTJ")
CASE_MARKS = ("案件标识", "案件的唯一标识", "C_AJBS")


@dataclass(frozen=True)
class Part:
    """One XML document of a batch."""

    kind: str
    content: bytes


@dataclass(frozen=True)
class Batch:
    """A zip with its name, number and digest. Same parts, same bytes."""

    kind: str
    number: str
    file_name: str
    content: bytes

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content).hexdigest()


def read_root(content: bytes) -> etree._Element | None:
    """Root of a court document, or None when it is no XML (bad input is sent all the same)."""
    try:
        return parse_xml(content)
    except SoapTrouble:
        return None


def kind_of(content: bytes) -> str:
    """The exchange kind of a document by its root; "" when it cannot be told."""
    root = read_root(content)
    return "" if root is None else KIND_OF_ROOT.get(etree.QName(root).localname, "")


def first_text(root: etree._Element | None, *names: str) -> str:
    """Text of the first element with one of these local names, or ""."""
    for name in names:
        found = find_local(root, name) if root is not None else None
        if found is not None and found.text:
            return str(found.text).strip()
    return ""


def case_marks(content: bytes) -> list[str]:
    """All 案件标识 in a document, in order, each once."""
    root = read_root(content)
    if root is None:
        return []
    found = [
        str(each.text).strip()
        for each in root.iter()
        if isinstance(each.tag, str) and etree.QName(each).localname in CASE_MARKS and each.text
    ]
    return list(dict.fromkeys(found))


def sent_at(content: bytes, otherwise: datetime) -> datetime:
    """The export time written in a document (发送时间, or the first update time), so that the same document gives
    the same zip again; `otherwise` when none can be read."""
    text = first_text(read_root(content), "发送时间", "DT_UPDATETIME")
    numbers = re.findall(r"\d+", text)
    try:
        return datetime(*[int(each) for each in [*numbers, "0", "0", "0"][:6]])  # type: ignore[arg-type] # noqa: DTZ001
    except (TypeError, ValueError):
        return otherwise.replace(tzinfo=None)


def make_batch(parts: list[Part], now: datetime, number: str = "", file_name: str = "") -> Batch:
    """Zip documents in the order given. The batch number is the one inside the first document unless given."""
    kind, at = parts[0].kind or "AJXX", sent_at(parts[0].content, now)
    inner = first_text(read_root(parts[0].content), "批次号", "batch")
    digest = hashlib.sha256(b"".join(part.content for part in parts)).hexdigest()
    number = number or (inner if len(parts) == 1 and inner else f"{kind}{at:%Y%m%d%H%M%S}-{digest[:6]}")
    day = at.date() - timedelta(days=1)
    tail = int(hashlib.sha256(number.encode()).hexdigest(), 16) % 90 + 1
    name = f"{kind}_export_{day:%Y%m%d}000000_{day:%Y%m%d}235959_{COURT}_{at:%Y%m%d%H%M%S}_{tail}.zip"
    return Batch(kind, number, file_name or name, _zip(parts, at))


def _zip(parts: list[Part], at: datetime) -> bytes:
    out, counts = io.BytesIO(), dict.fromkeys(KINDS, 0)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            kind = part.kind or "AJXX"
            counts[kind] = counts.get(kind, 0) + 1
            entry = zipfile.ZipInfo(f"{kind}_{counts[kind]:04d}.xml", at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, part.content)
    return out.getvalue()


def unzip(content: bytes) -> list[Part]:
    """Documents of a zip that was handed in ready; empty when it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [each for each in archive.infolist() if each.file_size <= 10_000_000][:200]
            return [Part(each.filename.split("_")[0], archive.read(each)) for each in names]
    except (zipfile.BadZipFile, OSError):
        return []
