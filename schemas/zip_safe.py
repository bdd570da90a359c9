"""Reading zip from outside: bounded, in memory, no path that leaves the archive. Each refusal is a finding."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from schemas.findings import Finding, Refused


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected))


@dataclass(frozen=True)
class ZipLimits:
    """Limits of an archive: entries, unpacked bytes of one and of all, and how far it may swell."""

    entries: int = 1000
    entry_bytes: int = 20_000_000
    total_bytes: int = 100_000_000
    ratio: int = 200


def read_zip_safe(raw: bytes, limits: ZipLimits | None = None) -> list[tuple[str, bytes]]:
    """Unpack a zip in memory and return (name, content) in the order of its directory.

    Names are taken as GB18030 where the archive does not say UTF-8. Folders are left out. Raises Refused
    with ARCHIVE_UNSAFE: path leaves the archive, absolute or drive path, link, encrypted, doubled name,
    unknown compression, over the limits, or broken; path `zip:entry[n]/…` with n from 1.
    """
    return list(each_in_zip(raw, limits))


def each_in_zip(raw: bytes, limits: ZipLimits | None = None, skip: int = 0) -> Iterator[tuple[str, bytes]]:
    """The files of a zip one after another, as `read_zip_safe`, with only one of them unpacked at a time.

    The whole directory is looked at before the first file is given; the first `skip` files are not unpacked.
    Raises Refused with ARCHIVE_UNSAFE.
    """
    limits = limits or ZipLimits()
    archive = _opened(raw)
    total = 0
    for place, (number, entry, name) in enumerate(_listed(archive, limits)):
        path = f"zip:entry[{number}]"
        room = min(limits.entry_bytes, limits.total_bytes - total)
        if place < skip:
            _refuse_swollen(entry, path, room, limits.ratio)
            total += entry.file_size
            continue
        content = _read_entry(archive, entry, path, room, limits.ratio)
        total += len(content)
        yield name, content


def check_zip(raw: bytes, limits: ZipLimits | None = None) -> int:
    """How many files a zip says that it holds, all of them safe by its directory. Raises Refused with ARCHIVE_UNSAFE."""
    limits = limits or ZipLimits()
    archive = _opened(raw)
    total = 0
    listed = _listed(archive, limits)
    for number, entry, _ in listed:
        _refuse_swollen(
            entry, f"zip:entry[{number}]", min(limits.entry_bytes, limits.total_bytes - total), limits.ratio
        )
        total += entry.file_size
    return len(listed)


def _opened(raw: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        _refuse("ARCHIVE_UNSAFE", "zip:", f"broken archive: {str(error)[:60]}", "a zip file")


def _listed(archive: zipfile.ZipFile, limits: ZipLimits) -> list[tuple[int, zipfile.ZipInfo, str]]:
    """Number, entry and name of each file, when all entries are safe by name and kind."""
    entries = archive.infolist()
    if len(entries) > limits.entries:
        _refuse("ARCHIVE_UNSAFE", "zip:", f"{len(entries)} entries", f"at most {limits.entries} entries")
    listed: list[tuple[int, zipfile.ZipInfo, str]] = []
    names: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        name = _entry_name(entry)
        _refuse_unsafe_entry(entry, name, f"zip:entry[{number}]", names)
        if not entry.is_dir():
            listed.append((number, entry, name))
    return listed


def _entry_name(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.orig_filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return entry.filename


def _refuse_unsafe_entry(entry: zipfile.ZipInfo, name: str, path: str, names: set[str]) -> None:
    parts = name.replace("\\", "/").split("/")
    if (
        ".." in parts
        or name.startswith(("/", "\\"))
        or re.match(r"[A-Za-z]:", name)
        or "\x00" in entry.orig_filename
    ):
        _refuse("ARCHIVE_UNSAFE", f"{path}/name", "path leaves the archive", "plain file name")
    if entry.flag_bits & 0x1:
        _refuse("ARCHIVE_UNSAFE", path, "encrypted entry", "plain entry")
    if (entry.external_attr >> 16) & 0o170000 == 0o120000:
        _refuse("ARCHIVE_UNSAFE", path, "symbolic link", "plain file")
    if name in names:
        _refuse("ARCHIVE_UNSAFE", f"{path}/name", "name twice", "each name once")
    names.add(name)


def _refuse_swollen(entry: zipfile.ZipInfo, path: str, room: int, ratio: int) -> None:
    if entry.file_size > room or entry.file_size > max(entry.compress_size, 1024) * ratio:
        found = f"{entry.file_size} bytes unpacked"
        _refuse("ARCHIVE_UNSAFE", path, found, f"at most {room} bytes, {ratio} times packed")


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, room: int, ratio: int) -> bytes:
    _refuse_swollen(entry, path, room, ratio)
    try:
        with archive.open(entry) as stream:
            # The directory may lie about the size, so never read more than it promised.
            content = stream.read(entry.file_size + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        _refuse("ARCHIVE_UNSAFE", path, f"broken entry: {str(error)[:60]}", "a readable entry")
    except Exception as error:  # zlib.error and kin have no common base
        _refuse("ARCHIVE_UNSAFE", path, f"broken entry: {type(error).__name__}", "a readable entry")
    if len(content) != entry.file_size:
        _refuse("ARCHIVE_UNSAFE", path, "size differs from the directory", "the size stated")
    return content
