"""``./concord link --config FILE --records FILE… --out FILE``: which rows of one or two registers are one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from case_registry import link_files
from hub.cli.output import errors, print_line


def link(
    config: Annotated[
        Path, typer.Option(help="TOML: columns and what they hold", exists=True, dir_okay=False)
    ],
    records: Annotated[
        list[Path],
        typer.Option(
            help="csv, parquet or xlsx; give it again for a second register", exists=True, dir_okay=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="csv, parquet or xlsx: the records, each with its cluster")],
    pairs: Annotated[
        Path | None, typer.Option(help="also the pairs, with score and reasons field by field")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="also what was learnt, to be put into a configuration")
    ] = None,
    sample: Annotated[
        Path | None, typer.Option(help="also pairs for people to decide, drawn at random, without score")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(
            help="columns one, other, verdict (same, different): precision, recall and threshold from them",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    wanted: Annotated[
        float,
        typer.Option(help="share of right links that the threshold is to bear out", min=0.5, max=0.9999),
    ] = 0.995,
) -> None:
    """Prints counts as one JSON line. Exit 2 when a file or a setting cannot be used."""
    try:
        print_line(
            link_files(
                config, records, out, pairs, weights, decisions=decisions, wanted=wanted, sample=sample
            )
        )
    except (ValueError, OSError) as trouble:
        errors.print(str(trouble), markup=False)
        raise typer.Exit(2) from None
