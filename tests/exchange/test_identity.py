"""Who calls: rows of partners and keys, suspension and revocation, ways that a partner must use, replays."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from foundation import partner_keys, partners, replays
from foundation.directory import Directory, load, own_key
from foundation.http_signature import Parts
from foundation.identity import Call, Identity, identify
from foundation.partner_keys import register_key, revoke_key
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.findings import Refused
from tests.exchange.partner_side import (
    HOST,
    PATH,
    der,
    enter,
    enter_with_keys,
    pem,
    public_pem,
    request,
    soap,
    soap_parts,
)  # fmt: skip


def directory(uow: UnitOfWork) -> Directory:
    return load(uow.conn)


def who(uow: UnitOfWork, parts: Parts, protocol: str = "rest", certificate: bytes | None = None) -> Identity:
    return identify(directory(uow), Call(protocol, parts, certificate), uow.now)  # type: ignore[arg-type]


def refusal(uow: UnitOfWork, parts: Parts, protocol: str = "rest", certificate: bytes | None = None) -> str:
    with pytest.raises(Refused) as caught:
        who(uow, parts, protocol, certificate)
    return caught.value.findings[0].code


def plain() -> Parts:
    return Parts("GET", "https", HOST, PATH, "", (), b"")


def test_each_way_names_the_partner(uow: UnitOfWork) -> None:
    enter_with_keys(uow)
    assert who(uow, request(now=uow.now)).partner.id == "ouqi_street"
    assert who(uow, plain(), certificate=der()).ways == {"tls"}
    found = who(uow, soap_parts(soap(uow.now)), "soap")
    assert found.ways == {"wss"}
    assert found.signed is not None
    assert found.signed.payload.findtext("{urn:concord:open:1}Sum") == "1200.00"
    assert refusal(uow, plain()) == "SIGNATURE_MISSING"
    assert refusal(uow, plain(), certificate=der("rsa other")) == "CERT_UNKNOWN"
    assert refusal(uow, request(now=uow.now, key_id="nobody-1")) == "CERT_UNKNOWN"


def test_a_partner_proves_itself_by_the_ways_of_its_row(uow: UnitOfWork) -> None:
    enter_with_keys(uow, auth=("tls+http",))
    assert refusal(uow, request(now=uow.now)) == "NOT_AUTHORISED"
    assert refusal(uow, plain(), certificate=der()) == "NOT_AUTHORISED"
    assert who(uow, request(now=uow.now), certificate=der()).ways == {"tls", "http"}


def test_two_proofs_are_of_one_partner(uow: UnitOfWork) -> None:
    enter_with_keys(uow)
    enter_with_keys(uow, "other_street", "rsa other")
    assert refusal(uow, request(now=uow.now), certificate=der("rsa other")) == "NOT_AUTHORISED"


def test_protocol_is_of_the_row(uow: UnitOfWork) -> None:
    enter_with_keys(uow, protocols=("soap",))
    assert refusal(uow, request(now=uow.now)) == "NOT_AUTHORISED"


def test_suspended_or_ended_partners_are_not_let_in(uow: UnitOfWork) -> None:
    enter_with_keys(uow)
    partners.suspend(uow, "ouqi_street", "合同到期")
    assert refusal(uow, request(now=uow.now)) == "PARTNER_SUSPENDED"
    assert uow.scalar("SELECT paused FROM exchange.partner_state WHERE partner = 'ouqi_street'")
    partners.resume(uow, "ouqi_street", "已续签")
    assert who(uow, request(now=uow.now)).partner.state == "active"
    uow.execute(
        "UPDATE exchange.partner SET valid_from = :b, valid_to = :e", b=uow.now - timedelta(2), e=uow.now
    )
    assert refusal(uow, request(now=uow.now)) == "PARTNER_SUSPENDED"
    with pytest.raises(Refused):
        partners.suspend(uow, "ouqi_street", " ")


def test_two_keys_overlap_and_a_third_is_refused(uow: UnitOfWork) -> None:
    enter(uow)
    for name in ("rsa", "p256"):
        register_key(uow, "ouqi_street", "http", pem(name), key_id=name)
    assert who(uow, request(now=uow.now, name="rsa", key_id="rsa"))
    assert who(uow, request(now=uow.now, name="p256", key_id="p256"))
    with pytest.raises(Refused) as caught:
        register_key(uow, "ouqi_street", "http", public_pem("ed25519"), key_id="third")
    assert caught.value.findings[0].code == "LIMIT_EXCEEDED"
    revoke_key(uow, "rsa", "密钥更换")
    register_key(uow, "ouqi_street", "http", public_pem("ed25519"), key_id="third")
    assert refusal(uow, request(now=uow.now, name="rsa", key_id="rsa")) == "KEY_REVOKED"
    assert who(uow, request(now=uow.now, name="ed25519", key_id="third"))


def test_the_database_holds_the_rules_itself(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        enter(uow)
        for name in ("rsa", "p256"):
            register_key(uow, "ouqi_street", "http", pem(name), key_id=name)
    copy = (
        "INSERT INTO exchange.partner_key SELECT 'third', partner, side, kind, algorithm, public_key, certificate,"
        " repeat('a', 64), valid_from, valid_to, NULL, '', created_at, created_by FROM exchange.partner_key LIMIT 1"
    )
    for sql in (
        copy,
        "DELETE FROM exchange.partner_key",
        "UPDATE exchange.partner_key SET public_key = 'x'",
        "UPDATE exchange.partner SET state = 'suspended', state_reason = ''",
        "UPDATE exchange.partner SET auth = '{password}'",
    ):
        with pytest.raises(IntegrityError), unit_of_work(engine) as uow:
            uow.execute(sql)
    with unit_of_work(engine) as uow:
        revoke_key(uow, "rsa", "丢失")
    with pytest.raises(IntegrityError), unit_of_work(engine) as uow:
        uow.execute("UPDATE exchange.partner_key SET revoked_at = NULL WHERE id = 'rsa'")


def test_a_key_has_its_time(uow: UnitOfWork) -> None:
    enter(uow)
    register_key(uow, "ouqi_street", "http", pem("rsa"), key_id="later", use_from=uow.now + timedelta(days=7))
    assert refusal(uow, request(now=uow.now, key_id="later")) == "KEY_EXPIRED"
    seen = directory(uow)
    after = uow.now + timedelta(days=400)
    with pytest.raises(Refused) as caught:
        identify(seen, Call("rest", request(now=after, key_id="later")), after)
    assert caught.value.findings[0].code == "KEY_EXPIRED"
    with pytest.raises(Refused) as caught:
        register_key(
            uow, "ouqi_street", "tls", pem("rsa old", begin=datetime(2020, 1, 1, tzinfo=UTC), days=30)
        )
    assert caught.value.findings[0].code == "KEY_EXPIRED"


def test_one_certificate_is_one_partners(uow: UnitOfWork) -> None:
    enter_with_keys(uow)
    enter(uow, "other_street")
    with pytest.raises(Refused) as caught:
        register_key(uow, "other_street", "tls", pem())
    assert caught.value.findings[0].code == "BUSINESS_KEY_CONFLICT"


def test_what_is_no_usable_key_is_refused_with_the_reason(uow: UnitOfWork, tmp_path: Path) -> None:
    enter(uow)
    sm2 = tmp_path / "sm2"
    for words in (
        ("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", f"{sm2}.key"),
        (
            "req",
            "-x509",
            "-new",
            "-key",
            f"{sm2}.key",
            "-sm3",
            "-subj",
            "/CN=x",
            "-out",
            f"{sm2}.crt",
            "-days",
            "30",
        ),
        ("pkey", "-in", f"{sm2}.key", "-pubout", "-out", f"{sm2}.pub"),
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    for file, code in (
        ("crt", "ALGORITHM_UNSUPPORTED"),
        ("pub", "ALGORITHM_UNSUPPORTED"),
        ("key", "CERT_UNKNOWN"),
    ):
        with pytest.raises(Refused) as caught:
            register_key(uow, "ouqi_street", "http", Path(f"{sm2}.{file}").read_bytes())
        finding = caught.value.findings[0]
        assert finding.code == code, file
        assert ("SM2 with SM3 is not offered" in finding.expected) == (file == "crt")
    for content in (
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        b"\x30\x03\x02\x01\x00",
    ):
        with pytest.raises(Refused) as caught:
            register_key(uow, "ouqi_street", "http", content)
        assert caught.value.findings[0].code == "CERT_UNKNOWN"
    with pytest.raises(Refused):
        register_key(uow, "ouqi_street", "tls", public_pem("ed25519"))


def test_a_signature_is_taken_once(uow: UnitOfWork) -> None:
    enter_with_keys(uow)
    first = request(now=uow.now, nonce="the-same-nonce")
    again = request(now=uow.now, nonce="the-same-nonce", body=b"{}")
    message = soap_parts(soap(uow.now))
    for parts, protocol in ((first, "rest"), (message, "soap")):
        replays.once(uow, who(uow, parts, protocol).proof)
        with pytest.raises(Refused) as caught:
            replays.once(uow, who(uow, parts, protocol).proof)
        assert caught.value.findings[0].code == "NONCE_REPLAYED"
    with pytest.raises(Refused):
        replays.once(uow, who(uow, again).proof)
    proof = who(uow, request(now=uow.now)).proof
    assert proof is not None
    assert replays.first_time(uow, [proof, proof]) == [True, False]
    assert replays.first_time(uow, []) == []


def test_a_failed_message_may_come_again(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        enter_with_keys(uow)
        proof = who(uow, request(now=uow.now)).proof
    with pytest.raises(ZeroDivisionError), unit_of_work(engine) as uow:
        replays.once(uow, proof)
        raise ZeroDivisionError
    with unit_of_work(engine) as uow:
        replays.once(uow, proof)


def test_old_marks_are_forgotten_and_never_too_early(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    with unit_of_work(engine) as uow:
        enter_with_keys(uow)
        parts, begin = request(now=uow.now), uow.now
        replays.once(uow, who(uow, parts).proof)
    set_clock(begin + timedelta(seconds=360))
    with unit_of_work(engine) as uow:
        assert replays.forget(uow) == 0
    set_clock(begin + timedelta(seconds=1300))
    with unit_of_work(engine) as uow:
        assert refusal(uow, parts) == "TIMESTAMP_EXPIRED"
        assert replays.forget(uow) == 1


def test_limits_are_checked_where_they_are_entered(uow: UnitOfWork) -> None:
    for wrong in ({"calls_per_s": 0}, {"speed": 1}, {"calls_at_once": True}, {"burst": 10**9}):
        with pytest.raises(Refused):
            enter(uow, limits=wrong)
    enter(uow, limits={"calls_per_s": 5})
    partners.change(uow, "ouqi_street", limits={"burst": 7})
    found = directory(uow).partners["ouqi_street"].limits
    assert (found.calls_per_s, found.burst, found.calls_at_once) == (5.0, 7, 250)


def test_our_own_key_is_the_newest_whose_time_has_come(uow: UnitOfWork) -> None:
    enter(uow)
    register_key(uow, "ouqi_street", "http", pem("rsa"), key_id="old", side="ours")
    register_key(
        uow, "ouqi_street", "http", pem("p256"), key_id="new", side="ours", use_from=uow.now + timedelta(days=7)
    )  # fmt: skip
    found = directory(uow)
    ours = [own_key(found, "ouqi_street", "http", uow.now + timedelta(days=days)) for days in (0, 8)]
    assert [each.id if each else "" for each in ours] == ["old", "new"]
    assert own_key(found, "ouqi_street", "wss", uow.now) is None
    # A signature of ours is not one of theirs.
    assert refusal(uow, request(now=uow.now, key_id="old")) == "CERT_UNKNOWN"


def test_every_change_is_in_the_journal(uow: UnitOfWork) -> None:
    enter_with_keys(uow)
    revoke_key(uow, "ouqi_street-1", "丢失")
    partners.suspend(uow, "ouqi_street", "停用")
    kinds = [
        row["kind"]
        for row in uow.all("SELECT kind FROM exchange.journal WHERE ref = 'ouqi_street' ORDER BY id")
    ]
    assert kinds == ["partner_added", *["partner_key_added"] * 3, "partner_key_revoked", "partner_suspended"]
    assert len(partner_keys.keys_of(uow, "ouqi_street")) == 3


def test_a_body_over_the_largest_limit_is_not_parsed(uow: UnitOfWork) -> None:
    enter_with_keys(uow, limits={"body_bytes": 2048})
    assert refusal(uow, soap_parts(soap(uow.now) + b" " * 4096), "soap") == "TOO_LARGE"
