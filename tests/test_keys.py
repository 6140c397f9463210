"""Keys of a node in real files, their passphrases, and what an officer makes."""

import base64
import os
import pickle
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs import profile
from node import files
from node.core.errors import XinqiaoError
from node.core.suites import SUITES, load_public_key
from node.keys import Passphrase, find_passphrase, generate, read_key, write_key
from registry import keys as registry_keys
from tests.key_rings import PASSPHRASE, new_ring

ROOT = Path(__file__).resolve().parents[1]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# -- key files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", profile("node_signing_key")["suites"])
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_survives_its_file(tmp_path: Path, suite: str, passphrase: Passphrase | None) -> None:
    signer = generate(suite)
    write_key(tmp_path / "a.pem", signer, passphrase)
    again = read_key(tmp_path / "a.pem", suite, signer.key_id, passphrase)
    public = load_public_key(suite, signer.public.spki)
    assert public is not None
    assert public.verifies(again.sign(b"message"), b"message")
    assert not public.verifies(again.sign(b"message"), b"another")


def test_every_suite_of_the_core_can_be_made() -> None:
    assert {generate(suite).suite for suite in SUITES} == set(SUITES)
    assert list(SUITES) == profile("node_signing_key")["suites"]
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        generate("rsa")


def test_a_key_file_is_private_from_its_first_byte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    before = os.umask(0)
    try:
        ring = new_ring(tmp_path)
    finally:
        os.umask(before)
    assert mode(tmp_path / "keys") == 0o700
    assert {mode(path) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert seen.count(0o600) == len(ring.records) + 1


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    write_key(tmp_path / "a.pem", generate("ed25519"), None)
    content = (tmp_path / "a.pem").read_bytes()
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*exists"):
        write_key(tmp_path / "a.pem", generate("ed25519"), None)
    assert (tmp_path / "a.pem").read_bytes() == content


@pytest.mark.parametrize("wrong", [None, Passphrase(b"wrong"), Passphrase(b"")])
def test_an_encrypted_key_opens_with_its_passphrase_only(tmp_path: Path, wrong: Passphrase | None) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, PASSPHRASE)
    with pytest.raises(XinqiaoError, match="KEY_PASSPHRASE") as caught:
        read_key(tmp_path / "a.pem", "ed25519", signer.key_id, wrong)
    assert "XINQIAO_KEY_PASSPHRASE" in caught.value.next
    assert signer.encoded(Encoding.DER)[-32:] not in (tmp_path / "a.pem").read_bytes()


def test_a_key_written_before_there_was_a_passphrase_still_opens(tmp_path: Path) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, None)
    assert read_key(tmp_path / "a.pem", "ed25519", signer.key_id, PASSPHRASE).key_id == signer.key_id


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed here")
def test_openssl_opens_an_encrypted_key_and_finds_scrypt_in_it(tmp_path: Path) -> None:
    signer = generate("ecdsa-p256-sha256")
    write_key(tmp_path / "a.pem", signer, Passphrase(b"secret"))
    show = ["openssl", "pkey", "-in", str(tmp_path / "a.pem"), "-passin", "pass:secret", "-pubout", "-outform", "DER"]
    assert subprocess.run(show, capture_output=True, check=True).stdout == signer.public.spki
    parse = ["openssl", "asn1parse", "-in", str(tmp_path / "a.pem")]
    shown = subprocess.run(parse, capture_output=True, check=True, text=True).stdout
    assert ":scrypt" in shown
    assert f"{profile('private_key_file')['scrypt_n']:X}" in shown


def test_a_key_readable_by_others_is_refused(tmp_path: Path) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, None)
    (tmp_path / "a.pem").chmod(0o640)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*others may use it \(mode 0640\)"):
        read_key(tmp_path / "a.pem", "ed25519", signer.key_id, None)


def rsa_pem() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def sm2_pem() -> bytes:
    """A key on a curve the library does not know: P-256 with the object identifier of SM2 in its place."""
    der = generate("ecdsa-p256-sha256").encoded(Encoding.DER)
    curve, other = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d")
    text = base64.b64encode(der.replace(curve, other)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n".encode()


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "no PKCS#8 private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no PKCS#8 private key"),
        (b"x" * 20_000, "more than 16384 bytes"),
        (generate("ed25519").encoded(Encoding.PEM), "belongs there"),
        (rsa_pem(), "belongs there"),
        (sm2_pem(), "not known here"),
    ],
)
def test_a_file_that_holds_anything_else_is_refused(tmp_path: Path, content: bytes, detail: str) -> None:
    files.write_new(tmp_path / "a.pem", content)
    with pytest.raises(XinqiaoError, match="KEY_FILE") as caught:
        read_key(tmp_path / "a.pem", "ed25519", generate("ed25519").key_id, None)
    assert detail in caught.value.text


def test_a_key_of_another_suite_than_noted_is_refused(tmp_path: Path) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, None)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*not of the suite"):
        read_key(tmp_path / "a.pem", "ecdsa-p256-sha256", signer.key_id, None)


def test_what_is_no_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pem", 0o600)
    for name, detail in (("pipe.pem", "another kind"), ("none.pem", "No such file")):
        with pytest.raises(XinqiaoError, match=f"KEY_FILE.*{detail}"):
            read_key(tmp_path / name, "ed25519", "0" * 64, None)


def test_no_secret_shows(tmp_path: Path) -> None:
    ring = new_ring(tmp_path, passphrase=PASSPHRASE)
    shown = repr((ring.signer, ring.tls, ring.records, PASSPHRASE, ring, vars(ring)))
    assert "PRIVATE" not in shown
    assert "correct horse" not in shown
    assert "hidden" in shown
    for secret in (ring.signer, PASSPHRASE):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


def passphrase_file(path: Path, content: bytes, permissions: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(permissions)
    return path


# -- passphrases ---------------------------------------------------------------------------------------------


def test_a_passphrase_comes_from_the_setting_then_the_environment_then_systemd(tmp_path: Path) -> None:
    setting = passphrase_file(tmp_path / "setting", b"one\n")
    passphrase_file(tmp_path / "xinqiao-key-passphrase", b"three\r\n", 0o440)
    credential = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    variable = {"XINQIAO_KEY_PASSPHRASE": "two"}
    assert find_passphrase(setting, variable | credential) == Passphrase(b"one")
    assert find_passphrase(None, variable | credential) == Passphrase(b"two")
    assert find_passphrase(None, credential) == Passphrase(b"three")
    assert find_passphrase(None, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}) is None
    assert find_passphrase(None, {}) is None


@pytest.mark.parametrize(("content", "permissions"), [(b"", 0o600), (b"\n", 0o600), (b"open", 0o644)])
def test_a_named_passphrase_that_cannot_be_used_is_an_error(tmp_path: Path, content: bytes, permissions: int) -> None:
    setting = passphrase_file(tmp_path / "setting", content, permissions)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        find_passphrase(setting, {"XINQIAO_KEY_PASSPHRASE": "two"})


def test_an_empty_or_missing_passphrase_is_not_taken_for_none(tmp_path: Path) -> None:
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*no passphrase"):
        find_passphrase(None, {"XINQIAO_KEY_PASSPHRASE": ""})
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*No such file"):
        find_passphrase(tmp_path / "none", {})


# -- officers ------------------------------------------------------------------------------------------------


def test_an_officer_makes_a_key_of_the_profile(tmp_path: Path) -> None:
    assert registry_keys.generate(tmp_path / "officer.pem", None).suite in profile("officer_key")["suites"]


def test_the_page_about_keys_shows_real_commands_only() -> None:
    """Each `xinqiao ...` line of certs/README.md is looked up in the command line itself."""
    main: click.Group = pytest.importorskip("node.cli.main", exc_type=ModuleNotFoundError).main
    page = (ROOT / "certs" / "README.md").read_text("utf-8")
    lines = [
        line.strip() for line in page.splitlines() if line.startswith("    ") and line.lstrip().startswith("xinqiao ")
    ]
    assert len(lines) > 10
    assert [line for line in lines if not is_command(main, line)] == []
    assert not is_command(main, "xinqiao keys forge")
    assert not is_command(main, "xinqiao registry sign PROPOSAL --without-reading")


def is_command(main: click.Group, line: str) -> bool:
    """Whether the words of a line lead to a command that has every option named."""
    words = shlex.split(line)[1:]
    command: click.Command | None = main
    while words and isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    named = {word for word in words if word.startswith("-")}
    return command is not None and named <= {text for each in command.params for text in each.opts}
