"""What partners are given describes what the doors do: XSD, WSDL and OpenAPI come from the one model and agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import zeep
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from zeep.plugins import Plugin

from connectors.open_contract import schema_files, shape
from connectors.open_contract.checking import checked_plain
from exchange_api.open_contract import comparing, openapi
from exchange_api.open_contract.rest import ASKED, GIVEN
from exchange_api.open_contract.subscribing import PATH as SUBSCRIPTIONS
from foundation.unit_of_work import unit_of_work
from hub import subscription_calls
from hub.applying import apply_due
from hub.operations import OPERATIONS, TAKES
from hub.pipeline import Hub
from schemas.open_contract import NAMESPACE, Message
from schemas.soap import SOAP12
from tests.exchange.open_side import OpenSide, at_story_start, message, served
from tests.exchange.partner_side import enter_with_keys

EXAMPLES = schema_files.CONTRACT / "examples"


def test_the_files_of_the_contract_are_made_from_the_model() -> None:
    for name, made in (
        ("message.xsd", schema_files.message_xsd()),
        ("open_contract.wsdl", schema_files.wsdl()),
    ):
        there = (schema_files.CONTRACT / name).read_text(encoding="utf-8")
        assert there == made, f"python -m connectors.open_contract.schema_files makes {name} anew"


def test_every_operation_is_on_both_protocols() -> None:
    by_rest = {*GIVEN.values(), *(operation for _, operation in ASKED), "batch", *subscription_calls.CALLS}
    by_soap = set(schema_files.OPERATIONS)
    assert by_rest - {"messages"} == by_soap
    assert set(OPERATIONS) | set(TAKES) | {"batch"} | set(subscription_calls.CALLS) == by_rest


def test_the_openapi_names_every_path() -> None:
    document = orjson.loads(openapi.document())
    patterns = [pattern for pattern, _ in ASKED]
    for path in document["paths"]:
        assert (
            path in GIVEN
            or path in comparing.CALLED
            or path.startswith(SUBSCRIPTIONS)
            or any(pattern.fullmatch(path.replace("{", "").replace("}", "")) for pattern in patterns)
        )
    jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"]["Message"])


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=30)  # fmt: skip  # noqa: E501
FIELDS = st.fixed_dictionaries(
    {"state": st.sampled_from(["OPEN", "CLOSED"])},
    optional={
        "cause": LINE | st.none(), "claimed_fen": st.integers(0, 10**15) | st.none(), "sealed": st.booleans() | st.none(),
        "opened_on": st.dates().map(str) | st.none(),
        "cause_code": st.fixed_dictionaries({"system": LINE, "code": LINE}) | st.none(),
        "narrative": st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"],
                                           exclude_characters="\ufffe\uffff"), max_size=60),
    },
)  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {
        "message_id": st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True),
        "case_key": LINE,
        "event_time": st.just("2026-04-01T09:00:00+08:00"),
        "kind": st.just("record"),
        "records": st.lists(
            st.fixed_dictionaries({"kind": st.just("episode"), "fields": FIELDS}), min_size=1, max_size=3
        ),
    },
    optional={"sequence": st.integers(1, 10**12), "reason": LINE},
)


@settings(max_examples=150, deadline=None)
@given(MESSAGES)
def test_what_the_model_takes_the_xsd_takes_and_both_mean_the_same(plain: dict[str, Any]) -> None:
    shape.message_of(plain)
    element = etree.fromstring(f'<submit xmlns="{NAMESPACE}">{shape.write_xml(plain)}</submit>')
    schema_files.compiled().assertValid(element)
    again = shape.read_xml(element[0])
    assert again == plain
    assert checked_plain(again, "court").digest == checked_plain(plain, "court").digest


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_the_examples_are_right_and_the_same_in_xml(path: Path) -> None:
    plain = orjson.loads(path.read_bytes())
    agency = {"hold": "court", "confirmation": "court", "enforcement": "court", "award": "arbitration"}
    kind = plain["records"][0]["kind"] if plain.get("records") else ""
    assert checked_plain(plain, agency.get(kind, "street")).findings == ()
    jsonschema.Draft202012Validator(Message.model_json_schema()).validate(plain)
    element = etree.parse(path.with_suffix(".xml")).getroot()
    schema_files.compiled().assertValid(element)
    assert shape.read_xml(element[0]) == plain


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    with unit_of_work(bare_hub.engine) as uow:
        enter_with_keys(uow)
    return bare_hub


@pytest.fixture
def side(hub: Hub) -> Iterator[OpenSide]:
    with served(hub) as url:
        yield OpenSide(url, at_story_start(hub.engine))


class Signs(Plugin):
    """Has zeep's envelope signed as the partner signs."""

    def __init__(self, side: OpenSide) -> None:
        self.side = side

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> Any:
        version = etree.QName(envelope).namespace
        body = envelope.find(f"{{{version}}}Body")
        return etree.fromstring(self.side.envelope(body[0], version)), http_headers


@pytest.mark.parametrize("port", ["Exchange11", "Exchange12"])
def test_zeep_reads_the_served_wsdl_and_calls(hub: Hub, side: OpenSide, port: str) -> None:
    client = zeep.Client(f"{side.url}/open/soap?wsdl", port_name=port, plugins=[Signs(side)])
    plain = message()
    record = {**plain["records"][0], "party": plain["records"][0]["parties"]}
    del record["parties"]
    told = {**{name: value for name, value in plain.items() if name != "records"}, "record": [record]}
    receipt = client.service.submit(message=told)
    assert receipt.message_id == "M-1" and receipt.signed
    assert orjson.loads(side.post(plain).content)["receipt_no"] == receipt.receipt_no
    apply_due(hub)
    status = client.service.status(receipt_no=receipt.receipt_no)
    assert status.state == "APPLIED"
    assert client.service.query(number=status.dispute[0]).own[0].case_key == "JD-2026-1"
    with pytest.raises(zeep.exceptions.Fault) as refused:
        client.service.status(message_id="nothing")
    assert "NOT_FOUND" in str(refused.value)


def test_every_answer_keeps_to_its_description(hub: Hub, side: OpenSide) -> None:
    document = orjson.loads(
        side.http.get("/open/v1/openapi.json", headers=side.signed("GET", "/open/v1/openapi.json")).content
    )
    schemas = document["components"]["schemas"]

    def keeps(part: str, told: Any) -> None:
        whole = {"$ref": f"#/components/schemas/{part}", "components": {"schemas": schemas}}
        jsonschema.Draft202012Validator(whole).validate(told)

    keeps("Message", message())
    keeps("Receipt", side.post(message()).json())
    keeps("Problem", side.post(b"{}").json())
    apply_due(hub)
    status = side.get("/open/v1/messages/M-1")
    keeps("Status", status.json())
    keeps("Messages", side.get("/open/v1/messages?limit=1").json())
    keeps("Missing", side.get("/open/v1/missing").json())
    keeps("Dispute", side.get(f"/open/v1/disputes/{status.json()['disputes'][0]}").json())
    again = side.get("/open/v1/messages/M-1", **{"if-none-match": status.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    xsd = schema_files.compiled()
    for operation, inner in (
        ("status", "<message_id>M-1</message_id>"), ("receipt", "<message_id>M-1</message_id>"), ("missing", ""),
        ("query", f"<number>{status.json()['disputes'][0]}</number>"), ("status", "<message_id>none</message_id>"),
        ("submit", shape.write_xml(message())),
    ):  # fmt: skip
        answer = side.soap(operation, inner, SOAP12)
        body = etree.fromstring(answer.content)[0][0]
        content = body if answer.status_code == 200 else body.find(f".//{{{NAMESPACE}}}problem")
        xsd.assertValid(content)
