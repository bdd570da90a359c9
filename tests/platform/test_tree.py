"""What the tree must not hold: long files, foreign addresses, machine paths, secrets, empty names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.platform.tree import ROOMS, ROOT, text_of, tracked

MOST_LINES = 300
# Given to partners as one file that runs by itself.
ONE_FILE_BY_PROMISE = {Path("foundation/verify_evidence.py"): 500}
MOST_FUNCTION_LINES = 50
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CODE_SUFFIXES = {".py", ".sh", ".sql", ".toml", ".html", ".css", ".js"}
# Partners' own words are kept as they came.
AS_THEY_CAME = {"contract", "examples"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
# Written in pieces, so that this file does not hold them.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npmjs" + ".org",
    "deb.debian" + ".org",
]
MACHINE_PATHS = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/tmp/" + "spec", "/Us" + "ers/"]
DEVELOPMENT_WORDS = [
    "SPEC" + ".md",
    "is" + "sue 3",
    "Cla" + "ude",
    "Chat" + "GPT",
    "as an " + "AI",
    "sub" + "agent",
]


def code_files() -> list[Path]:
    return [name for name in tracked() if name.suffix in CODE_SUFFIXES and not AS_THEY_CAME & set(name.parts)]


def test_no_long_file() -> None:
    long = [
        f"{name}: {len(text_of(name).splitlines())}"
        for name in code_files()
        if len(text_of(name).splitlines()) > ONE_FILE_BY_PROMISE.get(name, MOST_LINES)
    ]
    assert not long, "\n".join(long)


def test_no_long_function() -> None:
    """Functions stay under 50 lines; a docstring and the functions inside (routes, closures) are not counted."""
    long = []
    for name in code_files():
        # A test tells its story in one go; what it uses is looked at.
        if name.suffix != ".py" or name.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(text_of(name))):
            if isinstance(node, FUNCTIONS) and own_lines(node) > MOST_FUNCTION_LINES:
                long.append(f"{name}:{node.lineno} {node.name} {own_lines(node)}")
    assert not long, "\n".join(long)


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    inner = [node for node in body if isinstance(node, FUNCTIONS)]
    inside = sum((node.end_lineno or 0) - node.lineno + 1 for node in inner)
    return (function.end_lineno or 0) - body[0].lineno + 1 - inside


def test_no_name_that_says_nothing() -> None:
    empty = [
        name for name in tracked() if name.suffix == ".py" and {name.stem, *name.parts[:-1]} & EMPTY_NAMES
    ]
    assert not empty


@pytest.mark.parametrize(
    "words", [REGISTRIES, MACHINE_PATHS, DEVELOPMENT_WORDS], ids=["registries", "paths", "development"]
)
def test_no_foreign_word(words: list[str]) -> None:
    pattern = re.compile("|".join(re.escape(word) for word in words))
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in tracked()
        if not AS_THEY_CAME & set(name.parts)
        for number, line in enumerate(text_of(name).splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_foreign_lock_and_no_run_time_data() -> None:
    names = {str(name) for name in tracked()}
    assert not [name for name in names if Path(name).name in ("uv.lock", "poetry.lock", "Pipfile.lock")]
    assert not [
        name for name in names if name.startswith((".venv/", "var/")) or name.endswith((".pyc", ".sqlite"))
    ]


def test_no_private_key() -> None:
    """Keys are made at set-up; the partners' published test keys are theirs."""
    mark = "-----BEGIN " + "(RSA |EC )?PRIVATE" + " KEY"
    held = [
        name for name in tracked() if not AS_THEY_CAME & set(name.parts) and re.search(mark, text_of(name))
    ]
    assert not [name for name in held if name.parts[0] not in ("tests", "sandbox")]


def test_requirements_say_what_for() -> None:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    assert not [line for line in wanted if " # " not in line]


def test_lock_has_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.findall(r"^[a-z0-9][^ ]*==", lock, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(packages) == len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock
    for line in (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            package = re.match(r"[A-Za-z0-9_.-]+", line)
            assert package is not None
            assert re.search(rf"^{package.group(0).lower()}(\[.*\])?==", lock, re.MULTILINE), package.group(0)


def test_every_room_says_what_it_is() -> None:
    for room in ROOMS:
        assert ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))), room
