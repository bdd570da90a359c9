"""Writes the made-up agency and the made-up way to pay into a folder, under ids that nobody can know beforehand."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent / "made_up"


def write_folder(kind: str, into: Path, **values: str) -> Path:
    """Write ``kind`` ("agency" or "rail") as ``into/<id>``; ``values`` fill the manifest. Returns ``into``."""
    folder = into / values["id"]
    folder.mkdir(parents=True)
    for path in sorted((TEMPLATES / kind).iterdir()):
        if path.suffix not in (".py", ".toml"):
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            for name, value in values.items():
                text = text.replace(f"{{{name}}}", value)
        (folder / path.name).write_text(text, encoding="utf-8")
    return into
