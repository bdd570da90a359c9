"""Time stamps that OpenSSL makes, as an authority would that is none of ours: RSA, other digests, extra certificates."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from foundation.timestamps import NoStamp, _token_of, request
from foundation.verify_evidence import Broken, check_stamp

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="OpenSSL's command is not here"),
]
IMPRINT = hashlib.sha256(b"what was stamped").digest()
CONFIG = """
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
signer_cert = tsa.crt
signer_key = tsa.key
certs = chain.pem
default_policy = 1.2.3.4.1
digests = sha256, sha512
signer_digest = {digest}
ess_cert_id_alg = {ess}
ess_cert_id_chain = {chain}
ordering = yes
accuracy = secs:1, millisecs:500
tsa_name = yes
clock_precision_digits = 3
"""


def openssl(folder: Path, *words: str) -> None:
    done = subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root, a CA between, and an authority's RSA key."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    (folder / "tsa.ext").write_text(
        "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
    )
    (folder / "mail.ext").write_text("extendedKeyUsage=critical,timeStamping,emailProtection\n")
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.crt", "-subj",
        "/CN=root", "-days", "3650", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    for name, above, extensions in (
        ("between", "root", "ca"),
        ("tsa", "between", "tsa"),
        ("mail", "between", "mail"),
    ):
        openssl(
            folder, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN={name}",
        )  # fmt: skip
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{above}.crt", "-CAkey", f"{above}.key", "-CAcreateserial",
            "-days", "3650", "-extfile", f"{extensions}.ext", "-out", f"{name}.crt",
        )  # fmt: skip
    # Not in the order that DER wants of a set: real authorities send such.
    chain = [(folder / f"{name}.crt").read_bytes() for name in ("root", "between")]
    (folder / "chain.pem").write_bytes(b"".join(chain))
    return folder


def reply(folder: Path, imprint: bytes = IMPRINT, **more: str) -> bytes:
    told = {"digest": "sha256", "ess": "sha256", "chain": "no", **more}
    (folder / "tsa.cnf").write_text(CONFIG.format(**told))
    (folder / "serial").write_text("01\n")
    (folder / "asked.tsq").write_bytes(request(imprint, 12345))
    openssl(
        folder,
        "ts",
        "-reply",
        "-config",
        "tsa.cnf",
        "-section",
        "tsa1",
        "-queryfile",
        "asked.tsq",
        "-out",
        "got.tsr",
    )
    return (folder / "got.tsr").read_bytes()


def trusted(folder: Path, name: str = "root") -> tuple[x509.Certificate, ...]:
    return (x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes()),)


@pytest.mark.parametrize(
    "more", [{}, {"digest": "sha512"}, {"ess": "sha1"}, {"chain": "yes"}, {"ess": "sha512"}]
)
def test_a_foreign_stamp_verifies_to_its_root(authority: Path, more: dict[str, str]) -> None:
    token = _token_of(reply(authority, **more))
    at, nonce = check_stamp(token, IMPRINT, trusted(authority))
    assert nonce == 12345 and abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert check_stamp(token, IMPRINT, trusted(authority, "tsa"))[1] == 12345
    with pytest.raises(Broken, match="something else"):
        check_stamp(token, hashlib.sha256(b"other").digest(), trusted(authority))
    with pytest.raises(Broken, match="not trusted"):
        check_stamp(token, IMPRINT, trusted(authority, "mail"))


def test_each_byte_of_the_token_counts_or_is_not_signed_at_all(authority: Path) -> None:
    """A flipped bit either breaks the stamp, or lies outside what the authority signed and changes nothing of it."""
    token = _token_of(reply(authority))
    right = check_stamp(token, IMPRINT, trusted(authority))
    for at in range(len(token)):
        touched = token[:at] + bytes([token[at] ^ 1 << at % 8]) + token[at + 1 :]
        try:
            assert check_stamp(touched, IMPRINT, trusted(authority)) == right
        except Broken:
            continue


def test_a_certificate_with_another_purpose_beside_is_refused(authority: Path) -> None:
    kept = {name: (authority / name).read_bytes() for name in ("tsa.crt", "tsa.key")}
    try:
        for name in ("crt", "key"):
            shutil.copy(authority / f"mail.{name}", authority / f"tsa.{name}")
        (authority / "tsa.cnf").write_text(CONFIG.format(digest="sha256", ess="sha256", chain="no"))
        try:
            token = _token_of(reply(authority))
        except AssertionError:
            return  # OpenSSL itself will not stamp with it
        with pytest.raises(Broken, match="not one for time stamps"):
            check_stamp(token, IMPRINT, trusted(authority))
    finally:
        for name, content in kept.items():
            (authority / name).write_bytes(content)


def test_a_refusal_is_told(authority: Path) -> None:
    (authority / "asked.tsq").write_bytes(b"rubbish")
    (authority / "tsa.cnf").write_text(CONFIG.format(digest="sha256", ess="sha256", chain="no"))
    (authority / "serial").write_text("01\n")
    openssl(
        authority,
        "ts",
        "-reply",
        "-config",
        "tsa.cnf",
        "-section",
        "tsa1",
        "-queryfile",
        "asked.tsq",
        "-out",
        "got.tsr",
    )
    with pytest.raises(NoStamp, match="bad_data_format"):
        _token_of((authority / "got.tsr").read_bytes())
