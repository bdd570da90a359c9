"""The contract's XSD and WSDL, made from the model and from `contract/operations.xsd`: one source, so both protocols mean the same.

`python -m connectors.open_contract.schema_files` writes them into contract/; a test compares.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from connectors.open_contract.shape import ONE_OF
from schemas.open_contract import NAMESPACE, Message

CONTRACT = Path(__file__).resolve().parent / "contract"
# Operations of the contract, each with an element of its name and one named …_response in operations.xsd.
OPERATIONS = (
    "submit", "correction", "withdrawal", "status", "receipt", "query", "missing", "evidence", "batch", "batch_status",
    "batch_results", "subscribe", "subscriptions", "unsubscribe",
)  # fmt: skip
_XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'


def message_xsd() -> str:
    """The message's types as XSD text, made from the model."""
    schema = Message.model_json_schema()
    types = [_type("Message", schema)]
    types += [_type(name, part) for name, part in sorted(schema["$defs"].items())]
    body = "\n".join(types)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- Made from schemas/open_contract.py; see schema_files.py. -->\n'
        f'<xs:schema {_XS} xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}" elementFormDefault="qualified">\n'
        f"{body}\n</xs:schema>\n"
    )


def _type(name: str, part: dict[str, Any]) -> str:
    required = part.get("required", [])
    rows = "\n".join(
        f"      {_element(key, value, key in required, nillable=name == 'Fields')}"
        for key, value in part["properties"].items()
    )
    note = " ".join(str(part.get("description", "")).split()).replace("&", "&amp;").replace("<", "&lt;")
    said = f"    <xs:annotation><xs:documentation>{note}</xs:documentation></xs:annotation>\n" if note else ""
    return f'  <xs:complexType name="{name}">\n{said}    <xs:sequence>\n{rows}\n    </xs:sequence>\n  </xs:complexType>'


def _element(name: str, value: dict[str, Any], required: bool, *, nillable: bool) -> str:
    options = [each for each in value.get("anyOf", [value]) if each.get("type") != "null"]
    told = options[0]
    least = "" if required else ' minOccurs="0"'
    if told.get("type") == "array":
        of = told["items"]["$ref"].rsplit("/", 1)[-1]
        return f'<xs:element name="{ONE_OF[name]}" type="{of}"{least} maxOccurs="{told["maxItems"]}"/>'
    blank = ' nillable="true"' if nillable else ""
    if "$ref" in told:
        return f'<xs:element name="{name}" type="{told["$ref"].rsplit("/", 1)[-1]}"{least}{blank}/>'
    if told["type"] == "boolean":
        return f'<xs:element name="{name}" type="xs:boolean"{least}{blank}/>'
    return f'<xs:element name="{name}"{least}{blank}>{_simple(told)}</xs:element>'


def _simple(told: dict[str, Any]) -> str:
    base = "xs:long" if told["type"] == "integer" else "xs:string"
    facets: list[str] = []
    if "pattern" in told:
        facets.append(f"<xs:pattern value={quoteattr(_pattern(told['pattern']), _ESCAPES)}/>")
    for ours, theirs in (
        ("minLength", "minLength"),
        ("maxLength", "maxLength"),
        ("minimum", "minInclusive"),
        ("maximum", "maxInclusive"),
    ):
        if ours in told:
            facets.append(f'<xs:{theirs} value="{told[ours]}"/>')
    choices = told.get("enum", [told["const"]] if "const" in told else [])
    facets += [f'<xs:enumeration value="{each}"/>' for each in choices]
    return f'<xs:simpleType><xs:restriction base="{base}">{"".join(facets)}</xs:restriction></xs:simpleType>'


_ESCAPES = {"\x7f": "&#127;"}


def _pattern(pattern: str) -> str:
    """The pattern in XSD's words: anchored by itself, and of the control characters it only knows three."""
    return pattern.removeprefix("^").removesuffix("$").replace(r"\x00-\x1f\x7f", "\\t\\n\\r\x7f")


def wsdl() -> str:
    """The WSDL with both bindings; `{{ADDRESS}}` stands for where it is served."""
    template = (CONTRACT / "frame.wsdl").read_text(encoding="utf-8")
    types = _inner(message_xsd()) + _inner((CONTRACT / "operations.xsd").read_text(encoding="utf-8"))
    return (
        template.replace("{{TYPES}}", types)
        .replace("{{MESSAGES}}", "\n".join(_messages(each) for each in OPERATIONS))
        .replace("{{PORT_TYPE}}", "\n".join(_port_operation(each) for each in OPERATIONS))
        .replace("{{BINDING_11}}", "\n".join(_bound(each, "soap") for each in OPERATIONS))
        .replace("{{BINDING_12}}", "\n".join(_bound(each, "soap12") for each in OPERATIONS))
    )


def _inner(schema: str) -> str:
    """What stands in a schema file between its own tags, without its includes."""
    start = schema.index(">", schema.index("<xs:schema")) + 1
    body = schema[start : schema.rindex("</xs:schema>")]
    return "\n".join(line for line in body.splitlines() if "<xs:include" not in line)


def _messages(name: str) -> str:
    return (
        f'  <wsdl:message name="{name}"><wsdl:part name="body" element="tns:{name}"/></wsdl:message>\n'
        f'  <wsdl:message name="{name}_response"><wsdl:part name="body" element="tns:{name}_response"/></wsdl:message>'
    )


def _port_operation(name: str) -> str:
    return (
        f'    <wsdl:operation name="{name}"><wsdl:input message="tns:{name}"/>'
        f'<wsdl:output message="tns:{name}_response"/><wsdl:fault name="problem" message="tns:problem"/></wsdl:operation>'
    )


def _bound(name: str, soap: str) -> str:
    return (
        f'    <wsdl:operation name="{name}"><{soap}:operation soapAction="{NAMESPACE}/{name}" style="document"/>'
        f'<wsdl:input><{soap}:body use="literal"/></wsdl:input><wsdl:output><{soap}:body use="literal"/></wsdl:output>'
        f'<wsdl:fault name="problem"><{soap}:fault name="problem" use="literal"/></wsdl:fault></wsdl:operation>'
    )


@cache
def compiled() -> etree.XMLSchema:
    """The schema by which every SOAP body is checked; its files lie here, nothing is fetched."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    whole = (
        f'<xs:schema {_XS} xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        f"{_inner(message_xsd())}{_inner((CONTRACT / 'operations.xsd').read_text(encoding='utf-8'))}</xs:schema>"
    )
    return etree.XMLSchema(etree.fromstring(whole.encode(), parser))


def main() -> None:
    """Write the made files."""
    (CONTRACT / "message.xsd").write_text(message_xsd(), encoding="utf-8")
    (CONTRACT / "open_contract.wsdl").write_text(wsdl(), encoding="utf-8")


if __name__ == "__main__":
    main()
