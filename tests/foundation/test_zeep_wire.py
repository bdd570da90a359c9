"""zeep over the wire: no other address, no exception for trouble outside, no entity."""

from __future__ import annotations

from pathlib import Path

import pytest
import zeep

from foundation.wire import Wire
from foundation.zeep_wire import AddressRefused, call, message
from tests.connectors.answering_server import Call, answering

NAMESPACE = "urn:test"
WSDL = """<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:test" targetNamespace="urn:test">
<types><xs:schema targetNamespace="urn:test" elementFormDefault="qualified">IMPORT
<xs:element name="Ask"><xs:complexType><xs:sequence><xs:element name="word" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="Told"><xs:complexType><xs:sequence><xs:element name="word" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
</xs:schema></types>
<message name="in"><part name="p" element="t:Ask"/></message><message name="out"><part name="p" element="t:Told"/></message>
<portType name="P"><operation name="Ask"><input message="t:in"/><output message="t:out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Ask"><soap:operation soapAction="urn:test#Ask"/><input><soap:body use="literal"/></input>
<output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="X" binding="t:B"><soap:address location="http://localhost:0/"/></port></service></definitions>"""


@pytest.fixture
def wsdl(tmp_path: Path) -> Path:
    path = tmp_path / "t.wsdl"
    path.write_text(WSDL.replace("IMPORT", ""), "utf-8")
    return path


def envelope(body: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        + body
        + "</e:Body></e:Envelope>"
    ).encode()


TOLD = envelope('<Told xmlns="urn:test"><word>yes</word></Told>')


def test_a_call_and_its_headers(wsdl: Path) -> None:
    seen: list[Call] = []

    def answer(one: Call) -> tuple[int, dict[str, str], bytes]:
        seen.append(one)
        return 200, {"Content-Type": "text/xml"}, TOLD

    wire = Wire()
    with answering(answer) as url:
        reply = call(wire, wsdl, f"{url}/here", "Ask", word="叶䶮", http_headers={"X-Token": "t"})
    wire.close()
    assert (reply.outcome, reply.value, reply.status, reply.raw) == ("ANSWERED", "yes", 200, TOLD)
    assert seen[0].path == "/here" and seen[0].headers["x-token"] == "t"
    assert seen[0].headers["soapaction"] == '"urn:test#Ask"' and "叶䶮".encode() in seen[0].body


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<not"),
        (200, b""),
        (200, b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'),
        (500, b"broken"),
        (401, b"no"),
        (200, envelope('<Other xmlns="urn:test"/>')),
    ],
)
def test_an_odd_answer_leaves_the_outcome_unknown(wsdl: Path, status: int, body: bytes) -> None:
    wire = Wire()
    with answering(lambda _: (status, {"Content-Type": "text/xml"}, body)) as url:
        reply = call(wire, wsdl, url, "Ask", word="x")
    wire.close()
    assert reply.outcome in ("UNKNOWN", "ANSWERED") and reply.value is None and reply.raw == body
    assert reply.status == status


def test_a_fault_and_a_dead_address(wsdl: Path) -> None:
    fault = envelope("<e:Fault><faultcode>e:Server</faultcode><faultstring>CTX</faultstring></e:Fault>")
    wire = Wire()
    with answering(lambda _: (500, {"Content-Type": "text/xml"}, fault)) as url:
        reply = call(wire, wsdl, url, "Ask", word="x")
    assert reply.outcome == "ANSWERED" and reply.fault is not None and reply.fault.message == "CTX"
    assert call(wire, wsdl, "http://127.0.0.1:1", "Ask", word="x").outcome == "NOT_SENT"
    with pytest.raises((TypeError, zeep.exceptions.Error)):
        call(wire, wsdl, "http://127.0.0.1:1", "Ask", other="x")
    wire.close()


def test_equal_fields_give_equal_bytes(wsdl: Path) -> None:
    assert message(wsdl, "Ask", word="x") == message(wsdl, "Ask", word="x") != message(wsdl, "Ask", word="y")


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/x.xsd", "/etc/passwd", "../outside.xsd"])
def test_a_contract_opens_nothing_outside_its_folder(tmp_path: Path, location: str) -> None:
    path = tmp_path / "t.wsdl"
    path.write_text(
        WSDL.replace("IMPORT", f'<xs:import namespace="urn:o" schemaLocation="{location}"/>'), "utf-8"
    )
    with pytest.raises((AddressRefused, zeep.exceptions.Error)):
        message(path, "Ask", word="x")
