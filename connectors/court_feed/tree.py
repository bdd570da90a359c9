"""Walking the court's XML: fields of a row, paths as the court spells them, the machine contract's verdict."""

import re
import threading

from lxml import etree

from connectors.court_feed.row import Cell
from connectors.court_feed.tables import HERE, NAMESPACE
from schemas.findings import Finding

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)")
_REPEATED = ("R", "T_SQTJ_AJ", "T_SQTJ_DSR", "T_AJ_CX")
_MOST_FINDINGS = 50
_ROOTS = ("民事案件", "刑事案件", "案件撤销", "司法确认", "协助执行", "执行立案", "resource")
_schemas = threading.local()


def local(element: "etree._Element") -> str:
    """The element's name without its namespace."""
    return etree.QName(element).localname


def tag(name: str) -> str:
    """The full tag of a name in the court's namespace."""
    return f"{{{NAMESPACE}}}{name}"


def cells_of(element: "etree._Element") -> dict[str, Cell]:
    """Fields of a row: name → text, None where xsi:nil says "not told" (habit 3)."""
    return {
        local(child): None
        if child.get(_NIL, "").strip() in ("true", "1")
        else "".join(map(str, child.itertext()))
        for child in element
        if isinstance(child.tag, str)
    }


def path_of(element: "etree._Element") -> str:
    """Path of an element; elements that repeat carry their place among their like, from 1."""
    steps: list[str] = []
    here: etree._Element | None = element
    while here is not None:
        name = local(here)
        if name in _REPEATED and here.getparent() is not None:
            name += f"[{1 + sum(1 for _ in here.itersiblings(here.tag, preceding=True))}]"
        steps.append(name)
        here = here.getparent()
    return "/" + "/".join(reversed(steps))


def check_schema(root: "etree._Element") -> list[Finding]:
    """What the machine contract says of a part: nothing, or SCHEMA_VIOLATIONs with their places."""
    name = etree.QName(root)
    if name.localname not in _ROOTS:
        return [Finding("SCHEMA_VIOLATION", "/", name.localname, "one of " + ", ".join(_ROOTS))]
    if name.namespace != NAMESPACE:
        return [Finding("SCHEMA_VIOLATION", path_of(root), name.namespace or "no namespace", NAMESPACE)]
    schema = _schema()
    if schema.validate(root):
        return []
    found: dict[str, Finding] = {}
    for error in schema.error_log:
        finding = _finding(root, error)
        found.setdefault(finding.path, finding)
        if len(found) >= _MOST_FINDINGS:
            break
    return list(found.values())


def _schema() -> etree.XMLSchema:
    # Validating writes the schema object's own log, so each thread has one.
    if not hasattr(_schemas, "made"):
        _schemas.made = etree.XMLSchema(etree.parse(str(HERE / "contract" / "court-data.xsd")))
    made: etree.XMLSchema = _schemas.made
    return made


def _finding(root: "etree._Element", error: "etree._LogEntry") -> Finding:
    element = _element_at(root, error.path)
    message, kind = error.message or "", error.type_name or ""
    wanted = re.findall(r"\{[^}]*\}([^\s,]+)", match[1]) if (match := _EXPECTED.search(message)) else []
    path = path_of(element)
    text = "".join(map(str, element.itertext())).strip()[:100]
    if kind == "SCHEMAV_ELEMENT_CONTENT" and "Missing child" in message:
        return _missing(path, wanted)
    if kind == "SCHEMAV_ELEMENT_CONTENT":
        return _not_expected(element, path, wanted)
    if kind == "SCHEMAV_CVC_MAXLENGTH_VALID":
        most = re.findall(r"'(\d+)'", message)[-1:]
        return _violation(path, f"{len(text)} characters" if text else "too long", f"at most {''.join(most)}")
    if kind == "SCHEMAV_CVC_ELT_3_1":
        return _violation(path, "xsi:nil", "a value")
    if kind.startswith("SCHEMAV_CVC_DATATYPE"):
        type_name = re.search(r"type '(?:xs:)?([^']+)'", message)
        return _violation(path, text, type_name[1] if type_name else "a value of the stated type")
    if kind.startswith("SCHEMAV_CVC_COMPLEX_TYPE_3") and (
        attribute := re.search(r"attribute '([^']+)'", message)
    ):
        return _violation(f"{path}/@{attribute[1]}", "unknown attribute", "no such attribute")
    if kind == "SCHEMAV_CVC_COMPLEX_TYPE_2_3":
        return _violation(path, "text between elements", "elements only")
    if kind == "SCHEMAV_CVC_TYPE_3_1_2":
        return _violation(path, "elements inside", "text only")
    return _violation(path, text or "not as the schema says", message[-100:] or "as the schema says")


def _violation(path: str, found: str, expected: str) -> Finding:
    return Finding("SCHEMA_VIOLATION", path, found, expected)


def _missing(parent: str, wanted: list[str]) -> Finding:
    # Of what may stand here the last one is the one that must.
    return _violation(f"{parent}/{wanted[-1]}" if wanted else parent, "absent", "required element")


def _not_expected(element: "etree._Element", path: str, wanted: list[str]) -> Finding:
    parent = element.getparent()
    if parent is None:
        return _violation(path, local(element), "another element")
    present = {local(child) for child in parent if isinstance(child.tag, str)}
    if wanted and wanted[-1] not in present and local(element) in _declared():
        return _missing(path_of(parent), wanted)
    found = "out of order or twice" if local(element) in _declared() else "unknown element"
    return _violation(path, found, f"one of {', '.join(wanted)}" if wanted else "no such element")


def _declared() -> frozenset[str]:
    if not hasattr(_schemas, "declared"):
        names: set[str] = set()
        for file in ("court-dialect-a.xsd", "court-dialect-b.xsd"):
            tree = etree.parse(str(HERE / "contract" / file))
            names.update(e.get("name", "") for e in tree.iter("{http://www.w3.org/2001/XMLSchema}element"))
        _schemas.declared = frozenset(names)
    declared: frozenset[str] = _schemas.declared
    return declared


def _element_at(root: "etree._Element", path: str | None) -> "etree._Element":
    try:
        found = root.getroottree().xpath(path or "/*")
    except etree.XPathError:
        return root
    return found[0] if isinstance(found, list) and found and isinstance(found[0], etree._Element) else root
