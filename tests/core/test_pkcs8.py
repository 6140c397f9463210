"""Encrypted private keys in the standard form, opened by the library that did not write them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from node.core import pkcs8
from node.core.pkcs8 import ScryptCost

CHEAP = ScryptCost(n=16, r=8, p=1)
SALT, IV = bytes(range(16)), bytes(range(16, 32))


def der(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("passphrase", [b"x", "马到成功".encode(), b"\x00\xff" * 500])
@pytest.mark.parametrize("cost", [CHEAP, ScryptCost(n=1024, r=4, p=3)])
def test_the_library_opens_what_is_written(passphrase: bytes, cost: ScryptCost) -> None:
    for plain in (der(ed25519.Ed25519PrivateKey.generate()), der(ec.generate_private_key(ec.SECP256R1()))):
        opened = load_pem_private_key(pkcs8.encrypt(plain, passphrase, cost, SALT, IV), passphrase)
        assert isinstance(opened, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey)
        assert der(opened) == plain


def test_every_input_changes_the_file() -> None:
    plain = der(ed25519.Ed25519PrivateKey.generate())
    files = {
        pkcs8.encrypt(plain, b"x", CHEAP, SALT, IV),
        pkcs8.encrypt(plain, b"y", CHEAP, SALT, IV),
        pkcs8.encrypt(plain, b"x", ScryptCost(n=32, r=8, p=1), SALT, IV),
        pkcs8.encrypt(plain, b"x", CHEAP, IV, IV),
        pkcs8.encrypt(plain, b"x", CHEAP, SALT, SALT),
    }
    assert len(files) == 5
    assert pkcs8.encrypt(plain, b"x", CHEAP, SALT, IV) in files


def test_a_wrong_passphrase_opens_nothing() -> None:
    pem = pkcs8.encrypt(der(ed25519.Ed25519PrivateKey.generate()), b"x", CHEAP, SALT, IV)
    for wrong in (b"y", b"x ", b"X"):
        with pytest.raises(ValueError, match=r".+"):
            load_pem_private_key(pem, wrong)


def test_the_lines_of_the_file_are_those_of_pem() -> None:
    lines = pkcs8.encrypt(der(ec.generate_private_key(ec.SECP256R1())), b"x", CHEAP, SALT, IV).decode().split("\n")
    assert (lines[0], lines[-2:]) == (
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        ["-----END ENCRYPTED PRIVATE KEY-----", ""],
    )
    assert {len(line) for line in lines[1:-3]} == {64}
