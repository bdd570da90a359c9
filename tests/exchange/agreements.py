"""Sharing agreements of made-up partners, entered as an operator would: a file, checked and kept."""

from __future__ import annotations

from typing import Any

from foundation.unit_of_work import UnitOfWork
from hub import sharing_register
from hub.sharing_terms import Agreement

WHEREABOUTS = ["dispute", "stage", "stage_since", "holder", "your_cases", "own", "own.case_key", "own.proceeding",
               "own.proceeding_kind", "own.state"]  # fmt: skip
TERMS: dict[str, Any] = {
    "id": "T-1", "provider": "瓯栖县人民调解中心", "direction": "out", "means": "open contract", "retention": "3 years",
    "security_class": "internal", "onward_use": "none", "contact": "数据专员", "assessment": "PIA-T",
    "stop_conditions": ["other use"], "legal_basis": "人民调解法 第31条", "duty": "own cases", "scenario": "tests",
    "frequency": "on each change", "data_set": "whereabouts", "purpose": "PROGRESS", "fields": WHEREABOUTS,
    "from": "2026-01-01", "until": "2026-12-31",
}  # fmt: skip


def toml(*several: dict[str, Any]) -> bytes:
    """An agreement file; what is not said is as in TERMS. A term that is None is left out."""
    lines = ['version = "t"']
    for told in several or ({},):
        lines.append("[[agreement]]")
        for name, value in {**TERMS, **told}.items():
            if value is not None:
                plain = name in ("from", "until") and isinstance(value, str)
                lines.append(f"{name} = {value if plain else _toml(value)}")
    return "\n".join(lines).encode()


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return '"' + str(value).replace('"', '\\"') + '"'


def share(uow: UnitOfWork, partner: str, agency: str = "street", **told: Any) -> list[Agreement]:
    """Enter one agreement for a partner."""
    return sharing_register.enter(uow, partner, agency, toml({"id": f"T-{partner}", **told}))
