"""`xinqiao client`: who may ask through the query port is registered, shown, and taken out."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.cli.main import main
from node.core.suites import ECDSA_P256
from node.keys.certificate import make_certificate, target_name
from node.keys.signer import generate
from node.query_clients import QueryClients
from node.rpc import tls
from tests.builders import NOW_MS, UNIT

MATTERS = ("--matter", "bidding.tender", "--matter", "subsidies")
OFFICERS = ("--officer", "李明")


class Shell:
    """Commands on the home of a node that has not joined any network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"

    def run(self, *argv: object, chinese: bool = False) -> Result:
        language = {"XINQIAO_LANG": "zh" if chinese else "en", "XINQIAO_HOME": str(self.home)}
        return CliRunner().invoke(main, [str(word) for word in argv], env=language, catch_exceptions=False)

    def document(self, *argv: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*argv, "--json").stdout)
        return found

    def certificate(self, name: str, at_ms: int | None = None) -> Path:
        """A file with the certificate of a fresh key."""
        signer = generate(ECDSA_P256)
        found = make_certificate(name, "", signer, NOW_MS if at_ms is None else at_ms)
        file = self.folder / f"{name}.pem"
        file.write_bytes(tls.as_pem([found]))
        return file


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    found = Shell(tmp_path)
    made = found.run("init", "--id", "310000", "--name", "示例", "--level", "province", "--division", "310000")
    assert made.exit_code == 0, made.output
    return found


def test_a_system_is_registered_shown_and_taken_out_in_both_languages(shell: Shell) -> None:
    added = shell.run(
        "client", "add", "portal", "--certificate", shell.certificate("portal"), "--unit", UNIT, *MATTERS, *OFFICERS
    )
    assert added.exit_code == 0, added.output
    assert f"portal may ask for {UNIT} from now on" in added.output
    assert "`query_listen` is empty" in added.output
    (known,) = QueryClients(shell.home).all().values()
    assert (known.name, known.unit, known.matters, known.officers) == (
        "portal",
        UNIT,
        ("bidding.tender", "subsidies"),
        ("李明",),
    )
    (shown,) = shell.document("client", "list")["clients"]
    assert (shown["client"], shown["spki_sha256"]) == ("portal", known.spki_sha256.hex())
    assert "查询系统" in shell.run("client", "list", chinese=True).output
    again = shell.run(
        "client",
        "add",
        "portal",
        "--certificate",
        shell.certificate("renewed"),
        "--unit",
        UNIT,
        "--matter",
        "subsidies",
        *OFFICERS,
        chinese=True,
    )
    assert f"自此 portal 可代 {UNIT} 查询" in again.output
    (renewed,) = QueryClients(shell.home).all().values()
    assert (renewed.matters, renewed.spki_sha256 != known.spki_sha256) == (("subsidies",), True)
    assert shell.document("client", "remove", "portal") == {"client": "portal", "registered": False}
    assert QueryClients(shell.home).all() == {}
    assert shell.document("client", "remove", "portal")["error"]["code"] == "ARGUMENT_INVALID"


def test_what_cannot_be_registered_is_refused_and_changes_nothing(shell: Shell) -> None:
    file = shell.certificate("portal")
    first = ("client", "add", "portal", "--certificate", file, "--unit", UNIT, *MATTERS, *OFFICERS)
    assert shell.run(*first).exit_code == 0
    before = QueryClients(shell.home).path.read_bytes()
    expired, two = shell.certificate("expired", 0), shell.folder / "two.pem"
    two.write_bytes(file.read_bytes() + shell.certificate("other").read_bytes())
    wrong = [
        ((*first[:2], "twin", *first[3:]), "QUERY_CLIENTS"),
        (("client", "add", "Portal", *first[3:]), "ARGUMENT_INVALID"),
        ((*first[:3], "--certificate", expired, *first[5:]), "ARGUMENT_INVALID"),
        ((*first[:3], "--certificate", two, *first[5:]), "ARGUMENT_INVALID"),
        ((*first[:3], "--certificate", __file__, *first[5:]), "ARGUMENT_INVALID"),
        ((*first, "--unit", "示例"), "ARGUMENT_INVALID"),
        ((*first, "--matter", "No"), "ARGUMENT_INVALID"),
    ]
    for argv, code in wrong:
        assert shell.document(*argv)["error"]["code"] == code, argv
        assert QueryClients(shell.home).path.read_bytes() == before


def test_a_system_is_told_what_to_trust(shell: Shell) -> None:
    found = shell.document("client", "server")
    assert found["name"] == target_name("310000")
    assert found["certificates"].startswith("-----BEGIN CERTIFICATE-----")
