"""pytest plugin: marks as ``quick`` what needs neither a database nor a process, so that ``./check fast`` is fast."""

from __future__ import annotations

import pytest

NOT_QUICK = {"slow", "long", "alone", "browser", "docs"}
# The fixture below everything that needs a database.
DATABASE = "cluster"
# Folders of tests that start servers, and single tests that take more than a second.
NOT_EVERY_DAY = (
    "tests/acceptance/",
    "tests/console/",
    "tests/docs/",
    "tests/exchange/",
    "tests/linkage/",
    "tests/sandbox/",
    "tests/case_registry/test_clusters.py::test_order_does_not_matter",
    "tests/case_registry/test_deadlines.py::test_days_against_plain_counting",
    "tests/connectors/test_arbitration_events.py::test_mutations_never_raise",
    "tests/connectors/test_arbitration_ledger.py::test_mutations_never_raise",
    "tests/connectors/test_court_service.py::test_the_served_contract_by_zeep",
    "tests/connectors/test_petition_rows.py::test_attachments_within_their_limits",
    "tests/connectors/test_procuratorate_client.py",
    "tests/connectors/test_procuratorate_content.py::test_mutations",
    "tests/rails/test_alipay_faults.py",
    "tests/rails/test_alipay_sdk.py",
    "tests/rails/test_bank_vendors.py",
    "tests/rails/test_bank_statements.py::test_a_thousand_lines_are_quick",
    "tests/schemas/test_soap_and_sheets.py::test_a_text_of_20_mb",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        needs_database = DATABASE in getattr(item, "fixturenames", ())
        if not marks & NOT_QUICK and not needs_database and not item.nodeid.startswith(NOT_EVERY_DAY):
            item.add_marker(pytest.mark.quick)
