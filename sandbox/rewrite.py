"""Rewrites a story by a seed: other people, numbers, sums, days and message ids, consistently over all its files.

Works on text, by the forms of identifiers, never by a story's id: what is JSON inside XML is rewritten like the rest.
Signatures and digests in the files are left stale, since stand-ins make them anew when they send. Seed 0 changes
nothing. Towns, committees, offices, courts and the bank stay: they are the hub's own reference data.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from sandbox import rewrite_days, rewrite_values
from sandbox.rewrite_facts import (
    FEN_KEY,
    YUAN,
    amounts,
    hints,
    is_company,
    message_ids,
    names,
    resident_ids,
    story_days,
)
from sandbox.rewrite_sums import new_sums, yuan
from sandbox.rewrite_values import Replacements

PARENT_ACCOUNT = "9900339900000100000"  # the bank's published escrow account: no case's own
_CASE = r"(?P<open>[（(〔\[]20\d{2}[)）〕\]])(?P<mark>[\u4e00-\u9fff]{0,8}(?:0399)?[\u4e00-\u9fff]{0,8}?)(?P<serial>\d{1,7})号"


class Rewriter:
    """The replacements of one story under one seed."""

    def __init__(self, seed: int, texts: list[str]) -> None:
        self.seed = seed
        whole = "\n".join(texts)
        self.weeks = self._weeks(texts)
        self.sums = new_sums(amounts(whole), rewrite_values.source(seed, "sums", ""))
        self._make = {
            name: Replacements(seed, name, make)
            for name, make in {
                "person": rewrite_values.person,
                "company": rewrite_values.company,
                "id": rewrite_values.resident_id,
                "credit": rewrite_values.credit_code,
                "phone": rewrite_values.phone,
                "account": rewrite_values.account,
                "mark": rewrite_values.tail(10),
                "petition": rewrite_values.tail(14),
                "arbitration": rewrite_values.tail(0),
                "long": rewrite_values.tail(8),
                "case": rewrite_values.serial,
                "event": rewrite_values.event_id,
                "house": rewrite_values.house,
                "order": rewrite_values.order_digits,
            }.items()
        }
        for old in sorted(resident_ids(whole)):
            self._make["id"](old)
        self.names = {
            old: self._make["company" if is_company(old) else "person"](old) for old in names(whole)
        }
        self._ids = sorted(message_ids(whole), key=lambda each: (-len(each), each))
        self._pattern, self._actions = self._table()

    def text(self, text: str) -> str:
        """One text with everything replaced, each place once."""
        if not self.seed:
            return text

        def put(match: re.Match[str]) -> str:
            return self._actions[match.lastgroup or ""](match)

        return self._pattern.sub(put, text)

    def form(self, raw: str) -> str:
        """A form body: names stay, values are replaced, order stays."""
        pairs = parse_qsl(raw, keep_blank_values=True)
        return urlencode([(name, value if name == "sign" else self.text(value)) for name, value in pairs])

    def _weeks(self, texts: list[str]) -> int:
        found = {
            day
            for text in texts
            for match in re.finditer(rewrite_days.DAY, text)
            if (day := rewrite_days.read_day(match[0]))
        }
        main, signed = story_days(texts)
        return rewrite_days.choose_weeks(found, signed, main, rewrite_values.source(self.seed, "weeks", ""))

    def _table(self) -> tuple[re.Pattern[str], dict[str, Callable[[re.Match[str]], str]]]:
        """One pattern; the first alternative that fits a place decides. Each is a named group with its action."""
        names = "|".join(re.escape(each) for each in sorted(self.names, key=lambda each: (-len(each), each)))
        ids = "|".join(re.escape(each) for each in self._ids)
        make = self._make
        rows: list[tuple[str, str, Callable[[re.Match[str]], str]]] = [
            ("blob", r"[A-Za-z0-9+/]{60,}={0,2}", lambda m: m[0]),
            ("event", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda m: make["event"](m[0])),
            ("name", names or r"(?!)", lambda m: self.names[m[0]]),
            ("msgid", rf"(?<![A-Za-z0-9])(?:{ids or '(?!)'})(?![A-Za-z0-9])", lambda m: self._message_id(m[0])),
            ("petition", r"XF330399\d{11}", lambda m: make["petition"](m[0])),
            ("arbid", r"(?:ARB|AW)-20\d{2}-\d{6}", lambda m: m[0][:-6] + make["arbitration"](m[0][-6:])),
            ("credit", r"(?<![A-Z0-9])[1-9A-Y]\d330399[0-9A-HJ-NPQRTUWXY]{10}(?![A-Z0-9])", lambda m: make["credit"](m[0])),
            ("resident", r"(?<!\d)330399(?:19|20)\d{9}[\dXx](?!\d)", lambda m: make["id"](m[0])),
            ("masked", r"330399\*{8}[\dXx]{4}", self._masked),
            ("case", _CASE, self._case),
            ("house", r"(?<=[村区路街巷])\d{1,4}号", lambda m: make["house"](m[0])),
            ("seq", r"(?P<seqopen><(?:\w+:)?Seq>)(?P<seqno>\d{4,})", self._seq),
            ("day", rewrite_days.DAY, self._day),
            ("millis", r"(?<!\d)1[78]\d{11}(?!\d)", lambda m: str(int(m[0]) + self.weeks * 7 * 86_400_000)),
            ("fens", FEN_KEY, lambda m: m["fenkey"] + str(self.sums.get(int(m["fen"]), int(m["fen"])))),
            ("yuan", YUAN, lambda m: self._yuan(m[0])),
            ("number", r"(?<![\d.])\d{4,}(?![\d.])", lambda m: self._number(m[0])),
        ]  # fmt: skip
        pattern = re.compile("|".join(f"(?P<{name}_>{part})" for name, part, _ in rows))
        return pattern, {f"{name}_": action for name, _, action in rows}

    def _message_id(self, old: str) -> str:
        """Order numbers inside get new digits; other ids are marked with the seed in front."""
        new = re.sub(r"OQ(?:AL)?\d{8,12}", lambda m: self._make["order"](m[0]), old)
        return new if old.startswith("OQ") else f"Z{rewrite_values.base36(self.seed)}{new}"

    def _masked(self, match: re.Match[str]) -> str:
        for old, new in self._make["id"].known.items():
            if old[-4:].upper() == match[0][-4:].upper():
                return f"330399********{new[-4:]}"
        return (
            f"330399********{rewrite_values.digits(rewrite_values.source(self.seed, 'masked', match[0]), 4)}"
        )

    def _case(self, match: re.Match[str]) -> str:
        # a court number is whole in itself; 瓯栖调〔2026〕… and 瓯栖检民支〔2026〕… are told apart by what stands before
        before = "" if "0399" in match["mark"] else match.string[max(match.start() - 1, 0) : match.start()]
        width = 4 if before == "调" else 5
        prefix = f"{before}{match['open'][1:5]}{match['mark']}{width}"
        serial = self._make["case"](f"{prefix}|{match['serial'].lstrip('0') or '0'}").rpartition("|")[2]
        return f"{match['open']}{match['mark']}{serial}号"

    def _seq(self, match: re.Match[str]) -> str:
        return f"{match['seqopen']}{int(match['seqno']) + abs(self.seed) * 20}"

    def _day(self, match: re.Match[str]) -> str:
        day = rewrite_days.read_day(match[0])
        if day is None:
            return self._number(match[0]) if match[0].isdigit() else match[0]
        return rewrite_days.write_day(match[0], day + timedelta(weeks=self.weeks))

    def _yuan(self, text: str) -> str:
        old = int(text.replace(".", ""))
        return yuan(self.sums[old]) if old in self.sums else text

    def _number(self, text: str) -> str:
        """A bare run of digits: told by its length and beginning."""
        if text == PARENT_ACCOUNT:
            return text
        if len(text) in (18, 19) and text.startswith("99"):
            return self._make["account"](text)
        if len(text) == 18 and text.startswith("3399"):
            return self._make["mark"](text)
        if len(text) == 11 and text.startswith("100"):
            return self._make["phone"](text)
        if len(text) >= 20:
            return self._make["long"](text)
        return str(self.sums[int(text)]) if len(text) <= 13 and int(text) in self.sums else text


def _read(path: Path) -> str:
    raw = path.read_bytes()
    return raw.decode("gb18030" if b'ENCODING="GB18030"' in raw[:80].upper() else "utf-8")


def _rows_of(disputes_csv: Path, keys: list[str]) -> str:
    """The table of disputes, only the rows of one story; a key column as hint for names and sums."""
    with disputes_csv.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if row["dispute"] in keys]
        out = io.StringIO()
        writer = csv.DictWriter(out, reader.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue()


def rewrite_story(folder: Path, disputes_csv: Path, target: Path, seed: int) -> Rewriter:
    """Write the story in `folder`, with its rows of `disputes_csv`, rewritten by `seed`, into `target`.

    `target` gets the message files, `expected.json` and `disputes.csv` (the story's rows only). Returns the rewriter,
    whose `text` gives the new form of any text of the story.
    """
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "disputes.csv")
    keys = json.loads((folder / "expected.json").read_text("utf-8"))["disputes"]
    table = _rows_of(disputes_csv, keys)
    texts = [_read(path) for path in files if path.suffix != ".form"]
    # A form's pairs are put as JSON writes them, so that its ids are found by their names.
    forms = [pair for path in files if path.suffix == ".form" for pair in parse_qsl(_read(path))]
    texts += [value if value.startswith("{") else f'"{name}": "{value}"' for name, value in forms]
    rewriter = Rewriter(seed, [*texts, table, hints(table)])
    for path in files:
        if not seed:
            shutil.copyfile(path, target / path.name)
            continue
        text = _read(path)
        new = rewriter.form(text) if path.suffix == ".form" else rewriter.text(text)
        encoding = "gb18030" if 'ENCODING="GB18030"' in text[:80].upper() else "utf-8"
        (target / path.name).write_bytes(new.encode(encoding))
    (target / "disputes.csv").write_text(rewriter.text(table), "utf-8")
    return rewriter
