"""Registers linked by configuration alone: people of another century, the agencies' history, files in and out."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from benchmarks import link_history, link_people
from benchmarks.link import CONFIG, PEOPLE_CONFIG
from benchmarks.link_measures import quality
from case_registry.linkage.config import TYPES, BadConfig, config_of, load_config
from case_registry.linkage.engine import link
from case_registry.linkage.index import Index
from case_registry.linkage.tables import BadTable, read_tables
from case_registry.linkage.tool import link_files
from hub.cli.app import app
from tests.case_registry.make import resident
from tests.platform.tree import ROOT

PEOPLE: dict[str, str] = tomllib.loads(PEOPLE_CONFIG.read_text("utf-8"))["fields"]
PAGE = ROOT / "docs" / "operator" / "linkage.md"


@pytest.fixture(scope="module")
def history() -> pl.DataFrame:
    return pl.DataFrame(list(link_history.rows(1500, 41)))


@pytest.fixture(scope="module")
def persons() -> pl.DataFrame:
    return pl.DataFrame(list(link_people.rows(700, 17)))


def measured(frame: pl.DataFrame, config: dict[str, Any], truth: str) -> dict[str, float]:
    return quality(link(frame, config_of(config)).cluster.tolist(), frame[truth].to_list())


@pytest.mark.slow
@pytest.mark.parametrize(
    "link_section", [{}, {"threshold": 0.5}, {"threshold": 0.95}, {"threshold": 0.2}], ids=str
)
def test_people_of_another_century(persons: pl.DataFrame, link_section: dict[str, float]) -> None:
    """The defaults are good, and a threshold that somebody sets does not ruin them."""
    assert measured(persons, {"fields": PEOPLE, "link": link_section}, "person")["f1"] >= 0.80


@pytest.mark.slow
def test_a_whole_name_instead_of_or_beside_its_parts(persons: pl.DataFrame) -> None:
    whole = persons.with_columns(
        (pl.col("first_name") + " " + pl.col("surname")).str.strip_chars().alias("name")
    )
    rest = {name: kind for name, kind in PEOPLE.items() if kind != "name"}
    assert measured(whole, {"fields": {"name": "name", **rest}}, "person")["f1"] >= 0.80
    assert measured(whole, {"fields": {**PEOPLE, "name": "name"}}, "person")["f1"] >= 0.80


@pytest.mark.slow
def test_two_registers_of_which_none_holds_a_person_twice(persons: pl.DataFrame) -> None:
    place = pl.int_range(pl.len()).over("person")
    two = persons.with_columns(place.alias("k")).filter(pl.col("k") < 2)
    two = two.with_columns(
        pl.when(pl.col("k") == 0).then(pl.lit("parish")).otherwise(pl.lit("census")).alias("source")
    )
    linked = link(two, config_of({"source": "source", "fields": PEOPLE}))
    assert quality(linked.cluster.tolist(), two["person"].to_list())["f1"] >= 0.80
    seen = (
        pl.DataFrame({"cluster": linked.cluster, "source": two["source"]}).group_by("cluster", "source").len()
    )
    assert seen["len"].max() == 1, "no source holds a person twice, so no cluster holds two of one source"


@pytest.mark.slow
def test_the_agencies_history(history: pl.DataFrame) -> None:
    linked = link(history.select(link_history.COLUMNS), load_config(CONFIG))
    found = quality(linked.cluster.tolist(), history["dispute"].to_list())
    assert found["f1"] >= 0.97 and found["bcubed_f1"] >= 0.985 and found["over_merged_pct"] < 0.3
    again = link(history.select(link_history.COLUMNS), load_config(CONFIG))
    assert again.cluster.tolist() == linked.cluster.tolist()
    # Two numbers of the office are two disputes, whatever else agrees.
    own = history.with_columns(pl.Series("cluster", linked.cluster)).filter(pl.col("source") == "mediation")
    assert own.group_by("cluster").agg(pl.col("number").n_unique())["number"].max() == 1


@pytest.mark.slow
def test_one_record_against_the_register(history: pl.DataFrame) -> None:
    frame = history.select(link_history.COLUMNS)
    index = Index(link(frame, load_config(CONFIG)).model, frame)
    rows = history.to_dicts()
    right = asked = 0
    for row in rows[::40]:
        found = index.find(row, least=0.5)
        assert found[0].bits >= found[-1].bits and any(rows[f.row]["record"] == row["record"] for f in found)
        asked += len(found)
        right += sum(rows[f.row]["dispute"] == row["dispute"] for f in found)
    assert right / asked >= 0.97
    assert index.find({"applicants": "无此人", "cause": "相邻关系纠纷"}) == []


def small(*rows: tuple[str, str]) -> pl.DataFrame:
    """Name and id; enough strangers beside them that equal names mean something."""
    chars = "伟强磊军杰超勇斌波健明国建华平刚志俊宇浩文海峰龙毅辉旭晨凯飞"
    more = [("赵" + a + b, resident(k)) for k, (a, b) in enumerate(zip(chars, chars[::-1], strict=True), 100)]
    return pl.DataFrame([*rows, *more], schema=["name", "id"], orient="row")


GIVEN = {
    "prior": 0.2,
    "field": {
        "name": {"m": [0.9, 0.03, 0.03, 0.01, 0.01, 0.02], "u": [0.05, 0.002, 0.003, 0.001, 0.002, 0.942]},
        "id": {"m": [0.9, 0.05, 0.03, 0.02], "u": [0.0001, 0.0001, 0.0002, 0.9996]},
    },
}


def test_plain_contradiction_keeps_apart_and_a_strong_sign_may_be_asked() -> None:
    frame = small(("周忠强", resident(1)), ("周忠强", resident(7)), ("林芳芳", resident(2)), ("林芳芳", ""))
    fields: list[dict[str, Any]] = [
        {"name": "name", "type": "name"},
        {"name": "id", "type": "id", "conflict": True},
    ]
    free = link(frame, config_of({"field": fields, "weights": GIVEN})).cluster
    assert free[0] != free[1] and free[2] == free[3]
    fields[1]["strong"] = True
    bound = link(frame, config_of({"field": fields, "weights": GIVEN}))
    assert bound.cluster[2] != bound.cluster[3], "a name alone proposes"
    assert [(int(i), int(j)) for i, j in zip(bound.i, bound.j, strict=True) if i == 2] == [(2, 3)]


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx"])
def test_files_in_and_out(tmp_path: Path, form: str, persons: pl.DataFrame) -> None:
    some = persons.head(600)
    source, out, pairs, weights = (tmp_path / f"{n}.{form}" for n in ("in", "out", "pairs", "w"))
    if form == "csv":
        source.write_bytes(some.write_csv().encode("gb18030"))
    elif form == "parquet":
        some.write_parquet(source)
    else:
        import openpyxl

        book = openpyxl.Workbook()
        for row in [some.columns, *some.rows()]:
            book.active.append(row)
        book.save(source)
    config = tmp_path / "people.toml"
    config.write_text(
        'id = "record"\n[fields]\n' + "\n".join(f'{n} = "{k}"' for n, k in PEOPLE.items()), "utf-8"
    )
    told = CliRunner().invoke(app, ["link", "--config", str(config), "--records", str(source), "--out", str(out),
                                    "--pairs", str(pairs), "--weights", str(weights)])  # fmt: skip
    assert told.exit_code == 0, told.output
    counts = json.loads(told.output.splitlines()[-1])
    assert counts["records"] == 600 and 1 < counts["clusters"] < 600
    found = read_tables([out])
    assert found["record"].to_list() == some["record"].to_list()
    assert found["cluster"].n_unique() == counts["clusters"]
    reasons = json.loads(read_tables([pairs])["reasons"][0])
    assert {"field", "agreement", "weight", "one", "other"} == set(reasons[0])
    # What was learnt, put into a configuration, gives the same clusters.
    config.write_text(config.read_text("utf-8") + "\n" + weights.read_text("utf-8"), "utf-8")
    link_files(config, [source], out)
    assert read_tables([out])["cluster"].to_list() == found["cluster"].to_list()


def test_two_files_below_each_other(tmp_path: Path) -> None:
    for name, extra in (("a", "phone"), ("b", "town")):
        pl.DataFrame({"name": ["x"], extra: ["1"]}).write_csv(tmp_path / f"{name}.csv")
    frame = read_tables([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert frame.columns == ["name", "phone", "town"] and frame.height == 2


@pytest.mark.parametrize(("told", "path"), [
    ({}, "field"), ({"fields": {"a": "nmae"}}, "field[0].type"), ({"fields": {"a": "name"}, "threshold": 1}, "threshold"),
    ({"fields": {"a": "name"}, "link": {"threshold": 1.5}}, "link.threshold"),
    ({"field": [{"type": "name"}]}, "field[0].name"), ({"field": [{"name": "p", "type": "people", "sides": [{}]}]}, "field[0].sides"),
    ({"fields": {"a": "name"}, "weights": {"field": {"a": {"m": [0.5]}}}}, "weights.field.a.m"),
    ({"fields": {"no column": "name"}}, "field no column"), ({"fields": {"name": "name"}, "source": "where"}, "source"),
], ids=str)  # fmt: skip
def test_settings_that_cannot_be_used(told: dict[str, Any], path: str) -> None:
    with pytest.raises(BadConfig) as refused:
        link(pl.DataFrame({"name": ["a", "b"], "a": ["x", "y"]}), config_of(told))
    assert refused.value.path == path and refused.value.expected


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "x.doc").write_text("no table")
    with pytest.raises(BadTable, match="csv"):
        read_tables([tmp_path / "x.doc"])
    config = tmp_path / "c.toml"
    config.write_text("[fields\n")
    told = CliRunner().invoke(
        app, ["link", "--config", str(config), "--records", str(tmp_path / "x.doc"), "--out", "o.csv"]
    )
    assert told.exit_code == 2 and "TOML" in told.output


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_anything_to_link(rows: int) -> None:
    frame = pl.DataFrame(
        {"name": ["John Smith"] * rows, "born": ["1850"] * rows},
        schema={"name": pl.String, "born": pl.String},
    )
    assert len(link(frame, config_of({"fields": {"name": "name", "born": "date"}})).cluster) == rows


def test_the_page_names_every_type_and_its_configurations_are_read() -> None:
    text = PAGE.read_text("utf-8")
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        config_of(tomllib.loads(block))
    named = {
        name
        for row in re.findall(r"^\| (`[a-z`, ]+`) \|", text, re.MULTILINE)
        for name in re.findall(r"[a-z]+", row)
    }
    assert named == set(TYPES)


@pytest.mark.slow
def test_decisions_say_how_good_it_is(tmp_path: Path, persons: pl.DataFrame) -> None:
    """A sample is drawn without score, decided by the truth, and gives back what the truth says, within its interval."""
    some = persons.head(600)
    source, out, sample = (tmp_path / f"{name}.csv" for name in ("in", "out", "sample"))
    some.write_csv(source)
    config = tmp_path / "people.toml"
    config.write_text(
        'id = "record"\n[fields]\n' + "\n".join(f'{n} = "{k}"' for n, k in PEOPLE.items()), "utf-8"
    )
    link_files(config, [source], out, sample=sample)
    drawn = read_tables([sample])
    assert (
        drawn.columns[:3] == ["one", "other", "verdict"]
        and "score" not in drawn.columns
        and 150 < drawn.height <= 300
    )
    who = dict(zip(some["record"].to_list(), some["person"].to_list(), strict=True))
    verdicts = [
        "same" if who[a] == who[b] else "different" for a, b in drawn.select("one", "other").iter_rows()
    ]
    drawn = drawn.with_columns(pl.Series("verdict", ["", *verdicts[1:]]))
    drawn.write_csv(sample)
    told = CliRunner().invoke(app, ["link", "--config", str(config), "--records", str(source), "--out", str(out),
                                    "--decisions", str(sample), "--wanted", "0.8"])  # fmt: skip
    assert told.exit_code == 0, told.output
    learnt = json.loads(told.output.splitlines()[-1])["learnt"]
    assert learnt["decisions"] == drawn.height - 1 and learnt["unclear"] == 1 and learnt["needed"] == 16
    result = link(some, load_config(config), keep_all=True)
    true = some["person"].to_numpy()[result.all_i] == some["person"].to_numpy()[result.all_j]
    joined = result.cluster[result.all_i] == result.cluster[result.all_j]
    for name, share in (("precision", true[joined].mean()), ("recall", joined[true].mean())):
        assert learnt[name]["low"] <= share <= learnt[name]["high"], (name, share, learnt[name])
    assert learnt["threshold"]["low"] >= 0.8 and 0 < learnt["threshold"]["probability"] < 1
    drawn.head(10).write_csv(sample)
    few = link_files(config, [source], out, decisions=sample)["learnt"]
    assert few["precision"]["value"] is None and few["threshold"] is None, "too few decisions to say"
    sample.write_text("one,other,verdict\nnobody,r2,same\n")
    with pytest.raises(BadTable, match=r"row 2.*nobody"):
        link_files(config, [source], out, decisions=sample)
