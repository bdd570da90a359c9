"""``./concord escalation …``: the disputes that are likeliest to escalate, and the back-test on this database's own record."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import case_registry
from foundation.journal import disclose_many
from hub import seeing
from hub.cli.output import errors, print_json, table
from hub.cli.person import As, recipient, working_as

app = typer.Typer(
    no_args_is_help=True, help="Likelihood of escalation, with its hit rate. 升级可能与命中率。"
)
Json = Annotated[bool, typer.Option("--json", help="one JSON document")]


@app.command("list", help="The likeliest disputes, with reasons and hit rate. 最可能升级的纠纷。")
def listed(
    band: str = "",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: Json = False,
    who: As = "",
) -> None:
    """Exit 1 where no back-test counts: then no likelihood is told. Each look leaves a line."""
    with working_as(who) as uow:
        reader = seeing.reader(uow, seeing.WATCH)
        found = case_registry.likeliest_escalations(uow, reader, band=band, limit=limit)
        disclose_many(uow, recipient=recipient(uow), purpose=reader.purpose, subjects=[row["number"] for row in found["disputes"]],
                      fields=["escalation"], basis=seeing.BASIS)  # fmt: skip
    if as_json:
        print_json(found)
    elif found["hit_rate"] is not None:
        rows = [[row["number"], f"{row['percent']} %", row["band"], "; ".join(f"{r['en']} {r['points']:+d}" for r in row["reasons"])]
                for row in found["disputes"]]  # fmt: skip
        table("likeliest to escalate", ["dispute", "likelihood", "band", "reasons (points)"], rows)
        _proof(found["hit_rate"])
    if found["hit_rate"] is None:
        errors.print(
            "no back-test of this model counts here: no likelihood is told. 没有有效的回测结果，不显示升级可能"
        )
        raise typer.Exit(1)


@app.command("back-test", help="Try the model on this database's own record. 以本库历史回测。")
def back_test(
    seed: Annotated[int, typer.Option(help="which disputes and days are drawn")] = 1,
    disputes: Annotated[int, typer.Option(help="how many disputes are drawn")] = 2_000,
    as_json: Json = False,
    who: As = "",
) -> None:
    """The result is kept. It counts from a number of forecasts on that the table names."""
    with working_as(who) as uow:
        made = case_registry.back_test_escalation(uow, seed=seed, disputes=disputes)
    if as_json:
        print_json(made)
        return
    _proof(
        {
            **made,
            "on": made["at"].date(),
            "from": made["from_day"],
            "until": made["until_day"],
            "history": "record",
        }
    )
    if not made["counts"]:
        print(
            f"too few to count: {made['cases']} forecasts, {made['escalated']} escalated; it takes {made['least_cases']}"
        )


def _proof(rate: dict[str, Any]) -> None:
    """The hit rate as a table, with what it was measured on."""
    table(f"hit rate: {rate['history']}, {rate['from']} to {rate['until']}, seed {rate['seed']}, tried on {rate['on']}",
          ["band", "forecasts", "told %", "came %", "95 %"],
          [[row["band"], row["cases"], row["told_pct"], row["came_pct"], f"{row['low_pct']} to {row['high_pct']}"]
           for row in rate["bands"]])  # fmt: skip
    rule = rate["rules"]["graded"]
    print(f"recall of HIGH {rate['high']['recall_pct']} %; plain rule (YELLOW or higher): {rule['precision_pct']} % of"
          f" {rule['flagged']}, the model's likeliest, as many: {rule['as_many']['precision_pct']} %")  # fmt: skip
