"""Dialect B (SQTJ): the warehouse export of pre-litigation mediation, its party table and its withdrawals."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from lxml import etree

from connectors.court_feed.cases import case_number, proceeding_kind, state_cause
from connectors.court_feed.orders import withdrawal
from connectors.court_feed.parties import joined_parties, party
from connectors.court_feed.row import Context, Row, RowsRead
from connectors.court_feed.tables import table
from connectors.court_feed.tree import cells_of, local
from schemas.claims import PartyClaim, Record
from schemas.findings import Finding

PARTY_FIELDS = {"name": "C_DSRMC", "id": "C_ZJHM", "phone": "C_LXDH", "address": "C_ZZ"}


@dataclass(frozen=True)
class _PartyLine:
    """A row of the party table: whose, its place in the case, where it stands, and the party."""

    native_id: str
    place: int
    path: str
    made: PartyClaim


@dataclass
class _Gathered:
    lines: dict[str, list[_PartyLine]] = field(default_factory=lambda: defaultdict(list))
    read: list[RowsRead] = field(default_factory=list)


def read_tables(data: "etree._Element", path: str, context: Context) -> list[RowsRead]:
    """All rows of `data`, whose tables come mixed in any order. Party rows join the cases they belong to."""
    places: dict[str, int] = defaultdict(int)
    cases: list[Row] = []
    gathered = _Gathered()
    for element in data:
        if not isinstance(element.tag, str):
            continue
        name = local(element)
        places[name] += 1
        row = Row(cells_of(element), f"{path}/{name}[{places[name]}]", context)
        if name == "T_SQTJ_AJ":
            cases.append(row)
        elif name == "T_SQTJ_DSR":
            _party_line(row, gathered)
        else:
            gathered.read.append(
                withdrawal(
                    row, key="C_AJBS", at="DT_CXSJ", reason="C_CXYY", updated="DT_UPDATETIME", row_id="C_BH"
                )
            )
    known = {row.told("C_AJBS") for row in cases}
    read = [_case(row, gathered.lines.get(row.told("C_AJBS") or "", [])) for row in cases]
    alone = [_of_no_case(lines) for key, lines in gathered.lines.items() if key not in known]
    return [*read, *gathered.read, *alone]


def _party_line(row: Row, gathered: _Gathered) -> None:
    native_id = row.key("C_AJBS")
    row.stamp("DT_UPDATETIME")
    role = row.code("C_SSDW", "party_role", required=True) or "applicant"
    made = party(row, PARTY_FIELDS, role=role, kind=None, key=row.key("C_BH"))  # type: ignore[arg-type]
    read = row.done()
    gathered.read.append(read)
    if made is not None and not read.findings:
        place = int((row.told("N_XH") or "0")[-9:])
        gathered.lines[native_id].append(_PartyLine(native_id, place, row.path, made))


def _case(row: Row, lines: list[_PartyLine]) -> RowsRead:
    native_id, number = row.key("C_AJBS"), case_number(row, "C_AH")
    stamp = row.stamp("DT_UPDATETIME")
    row.claim("proceeding_kind", proceeding_kind(row, "C_AJLB", row.told("C_LAAYMC")))
    row.day("DT_LARQ", "opened_on")
    state_cause(row, "C_LAAYMC")
    row.amount("N_SJBDJE", "claimed_fen")
    row.text("C_TJZZMC", "organisation")
    row.text("C_TJYXM", "mediator")
    row.day("DT_JARQ", "closed_on")
    version = row.version_of(stamp)
    state_of(row, "C_AJZT", row.code("C_JAFS", "closing_b"))
    row.claim("court", row.told("C_FYBH") or None)
    referred = row.moment("DT_WPRQ")
    named = [
        *joined_parties(row.told("C_YGMC"), "applicant"),
        *joined_parties(row.told("C_BGMC"), "respondent"),
    ]
    return row.done(
        Record(
            kind="episode",
            native_id=native_id,
            sub_id=number,
            version=version,
            event_at=version[0],
            claims=tuple(row.claims),
            parties=tuple(_with_lines(named, lines)),
            path=row.path,
            data={
                "row_id": row.told("C_BH") or "",
                "referred_on": referred.day.isoformat() if referred else None,
            },
        )
    )


def state_of(row: Row, field: str, outcome: str | None) -> None:
    """State where the case stands, told in words or as a code, and how it ended.

    A word that is not in the table is kept with a note and states nothing; a number that is not, refuses.
    """
    told = row.told(field)
    state = table("stage_text").get(told or "") or table("stage").get(told or "")
    if told and state is None:
        if told.isdecimal():
            row.refuse("CODE_UNKNOWN", field, told, "one of " + ", ".join(table("stage")))
        else:
            row.note("CODE_UNKNOWN", field, told, "one of " + ", ".join(table("stage_text")))
    if outcome is None and state in ("AGREED", "FAILED"):
        outcome = "SUCCEEDED" if state == "AGREED" else "FAILED"
    if outcome is not None and state in (None, "CLOSED"):
        # 结案 says only that it ended; the way of ending says how.
        state = "AGREED" if outcome == "SUCCEEDED" else "FAILED"
    if state is not None:
        row.claim("state", state, told)
    if outcome is not None:
        row.claim("outcome", outcome)


def _with_lines(named: list[PartyClaim], lines: list[_PartyLine]) -> list[PartyClaim]:
    """The named parties, each completed by its own row; the keys stay role and place, row or no row."""
    found = list(named)
    for line in sorted(lines, key=lambda each: each.place):
        extra = {**line.made.extra, "row_id": line.made.key}
        for index, party_named in enumerate(found):
            same = (party_named.role, party_named.name) == (line.made.role, line.made.name)
            if same and "row_id" not in party_named.extra:
                found[index] = replace(line.made, key=party_named.key, extra={**party_named.extra, **extra})
                break
        else:
            ordinal = 1 + sum(1 for each in found if each.role == line.made.role)
            found.append(replace(line.made, key=f"{line.made.role}:{ordinal}", extra=extra))
    return found


def _of_no_case(lines: list[_PartyLine]) -> RowsRead:
    """Party rows of a case that is not in the file: which proceeding they belong to cannot be told."""
    notes = tuple(
        Finding(
            "UNKNOWN_ORIGINAL",
            line.path,
            line.native_id,
            "a T_SQTJ_AJ row of this case in the same file",
            "kept in the raw message; its case tells the parties by name",
            scope="row",
            severity="care",
        )
        for line in lines
    )
    return RowsRead(notes=notes, rows=0)
