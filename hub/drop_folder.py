"""Drop folders: files that a way to pay puts for us, such as its 对账文件; what is still being written is left alone.

A rail whose manifest has ``[drop]`` has a folder ``var/drop/<rail>/``. Whoever puts a file writes it whole and then its mark
(``ready``), which holds the file's size in bytes: without the mark, or with another size, the file waits. A file is
committed to the inbox before it is moved to ``taken/`` or ``refused/``; one that comes again is a duplicate there, and
counts once.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import escrow
from foundation.unit_of_work import unit_of_work
from hub import filing
from hub.pipeline import Hub

log = logging.getLogger("concord.drop")
MOST_FILES = 500
"""Files of one rail that one round takes; the next round goes on."""
MARK_BYTES = 64


def folder_of(hub: Hub, rail_id: str) -> Path:
    """Where this rail's files are put."""
    return Path(hub.settings.var_dir) / "drop" / rail_id


def take_all(hub: Hub) -> dict[str, Any]:
    """Take what is ready in every rail's folder; counts by rail and result, with the names of what waits."""
    return {
        rail.id: take(hub, rail.id, folder_of(hub, rail.id))
        for rail in escrow.all_rails().values()
        if "drop" in rail.manifest
    }


def take(hub: Hub, rail_id: str, folder: Path) -> dict[str, Any]:
    """Take what is ready in one folder, in the order of names, at most MOST_FILES."""
    told = escrow.all_rails()[rail_id].manifest["drop"]
    done: dict[str, int] = {}
    waiting: list[str] = []
    if not folder.is_dir():
        return {"results": done, "waiting": waiting}
    for path in sorted(folder.glob(f"*{told['suffix']}"))[:MOST_FILES]:
        mark = path.with_suffix(told["ready"])
        if not _ready(path, mark):
            waiting.append(path.name)
            continue
        with unit_of_work(hub.engine) as uow:
            now = uow.now
        try:
            line = filing.ingest_path(hub, rail_id, path, now, now)
        except FileNotFoundError:  # another worker was quicker
            continue
        result = str(line["result"])
        done[result] = done.get(result, 0) + 1
        if result == "refused":
            log.warning(
                "%s: %s refused: %s", rail_id, path.name, [each["code"] for each in line["findings"]][:5]
            )
        _put_away(path, mark, folder / ("refused" if result == "refused" else "taken"))
    return {"results": done, "waiting": waiting}


def _ready(path: Path, mark: Path) -> bool:
    """Whether the file is whole: its mark is there and names its size. Links are not followed."""
    try:
        if path.is_symlink() or mark.is_symlink() or not path.is_file() or mark.stat().st_size > MARK_BYTES:
            return False
        told = mark.read_text("ascii").strip()
        return told.isdecimal() and int(told) == path.stat().st_size
    except (OSError, UnicodeDecodeError):
        return False


def _put_away(path: Path, mark: Path, where: Path) -> None:
    """Out of the folder. What fails before is taken again, and is a duplicate then; a mark left alone is no file."""
    where.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):  # another worker was quicker
        path.replace(where / path.name)
    mark.unlink(missing_ok=True)
