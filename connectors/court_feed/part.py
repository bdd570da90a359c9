"""One XML part: safe to read, as the machine contract wants it, its count right, then row by row."""

from dataclasses import dataclass

from lxml import etree

from connectors.court_feed.cases import read_case
from connectors.court_feed.orders import read_confirmation, read_enforcement, read_hold, read_withdrawal
from connectors.court_feed.row import Context, RowsRead
from connectors.court_feed.tree import check_schema, local, tag
from connectors.court_feed.warehouse import read_tables
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_xml

PART_BYTES = 10 * 1024 * 1024
"""Largest part, unpacked (contract, "Limits")."""

_READERS = {
    "民事案件": ("案件列表", read_case),
    "刑事案件": ("案件列表", read_case),
    "案件撤销": ("案件撤销记录", read_withdrawal),
    "司法确认": ("司法确认记录", read_confirmation),
    "协助执行": ("协助执行记录", read_hold),
    "执行立案": ("执行立案记录", read_enforcement),
}


@dataclass(frozen=True)
class PartRead:
    """One part: its own number and where that stands, its kind, its rows."""

    batch_no: str
    batch_path: str
    kind: str
    read: tuple[RowsRead, ...]


def open_part(content: bytes) -> "etree._Element":
    """The part's root, as the machine contract wants it. Raises Refused."""
    root = parse_xml(content, max_bytes=PART_BYTES)
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
    findings = check_schema(root)
    if findings:
        raise Refused.of(findings)
    return root


def batch_of(root: "etree._Element") -> tuple[str, str]:
    """The part's own number and its path; both "" where a dialect B part names none."""
    name = local(root)
    steps = ("brief", "batch") if name == "resource" else ("批次信息", "批次号")
    found = root.find("/".join(tag(step) for step in steps))
    number = "" if found is None else "".join(map(str, found.itertext())).strip()
    return number, f"/{name}/{steps[0]}/{steps[1]}" if number else ""


def read_part(root: "etree._Element", context: Context) -> PartRead:
    """All rows of a part. Raises Refused with COUNT_MISMATCH: then nothing of it is taken."""
    name = local(root)
    if name == "resource":
        data = root.find(tag("data"))
        rows = [] if data is None else [child for child in data if isinstance(child.tag, str)]
        # brief/count counts the rows of all tables together (habit 9)
        _count(root, "brief", "count", len(rows))
        read = read_tables(data, f"/{name}/data", context) if data is not None else []
        return PartRead(*batch_of(root), name, tuple(read))
    group_name, reader = _READERS[name]
    group = root.find(tag(group_name))
    rows = list(group) if group is not None else []
    _count(root, "批次信息", "记录数", len(rows))
    read = [
        reader(row, f"/{name}/{group_name}/R[{place}]", context) for place, row in enumerate(rows, start=1)
    ]
    return PartRead(*batch_of(root), name, tuple(read))


def _count(root: "etree._Element", group: str, field: str, counted: int) -> None:
    stated = (root.findtext(f"{tag(group)}/{tag(field)}") or "").strip()
    if (stated.lstrip("+0") or "0") != str(counted):
        raise Refused(
            Finding(
                "COUNT_MISMATCH",
                f"/{local(root)}/{group}/{field}",
                stated,
                str(counted),
                "reject whole batch, ask for it again",
            )
        )
