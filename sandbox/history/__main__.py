"""`python -m sandbox.history --disputes N --seed S --out DIR [--sample K]`; `--out -` writes records to the output."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tomllib
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from sandbox.history.people import DATA
from sandbox.history.sample import write_sample
from sandbox.history.stream import TRUTH_COLUMNS, generate


def write(disputes: int, seed: int, out: str) -> int:
    """records.jsonl and truth.csv into `out`, or records alone to the standard output. Returns the number of records.

    A line: {"partner", "institution", "agency", "records": [what one agency tells of one dispute]}.
    """
    sources = tomllib.loads((DATA / "agencies.toml").read_text("utf-8"))
    count = 0
    with ExitStack() as stack:
        if out == "-":
            records, truth = sys.stdout, None
        else:
            folder = Path(out)
            folder.mkdir(parents=True, exist_ok=True)
            records = stack.enter_context((folder / "records.jsonl").open("w", encoding="utf-8"))
            rows = stack.enter_context((folder / "truth.csv").open("w", encoding="utf-8", newline=""))
            truth = csv.writer(rows, lineterminator="\n")
            truth.writerow(TRUTH_COLUMNS)
        for (_, agency), group in groupby(
            generate(disputes, seed), key=lambda told: (told.dispute.number, told.agency)
        ):
            tellings = list(group)
            line = {**sources[agency], "agency": agency, "records": [told.as_dict() for told in tellings]}
            records.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            if truth is not None:
                truth.writerows(told.truth() for told in tellings)
            count += len(tellings)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description="Synthetic history of disputes, with the truth beside it")
    parser.add_argument("--disputes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True, help="a folder, or - for records on the standard output")
    parser.add_argument(
        "--sample", type=int, default=0, help="also so many disputes in the partners' own forms"
    )
    told = parser.parse_args()
    try:
        count = write(told.disputes, told.seed, told.out)
        if told.sample and told.out != "-":
            write_sample(told.disputes, told.seed, told.sample, Path(told.out) / "sample")
    except ValueError as trouble:
        parser.error(str(trouble))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has had enough
        return
    print(f"{count} records of {told.disputes} disputes", file=sys.stderr)


if __name__ == "__main__":
    main()
