def test_a(uow):
    from foundation.journal import journal, verify_day

    journal(uow, "x", "r", b"1" * 32, a=1)
    journal(uow, "x", "r2", b"2" * 32, b=1)
    assert verify_day(uow, "2026-04-01") is None
    assert uow.now.isoformat().startswith("2026-04-01T01:00")
