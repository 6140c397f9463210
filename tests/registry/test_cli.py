"""The command line: founding for development, help, usage, and errors a newcomer can act on."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from node.core.membership import fingerprint_of
from node.core.suites import to_text
from registry import authority, keys
from registry.cli import registry
from tests.builders import make_matter, make_matters, make_measures
from tests.registry.client import Reader
from tests.registry.town import Node, Town, now_ms


def commands(group: click.Group, *before: str) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, *before, name)
        else:
            found.append((" ".join([*before, name]), command))
    return found


@pytest.mark.parametrize(
    ("words", "command"), commands(registry), ids=lambda part: part if isinstance(part, str) else ""
)
def test_every_command_takes_home_and_json_and_explains_itself(words: str, command: click.Command) -> None:
    ran = CliRunner().invoke(registry, [*words.split(), "--help"])
    assert ran.exit_code == 0
    assert "--home" in ran.stdout
    assert "--json" in ran.stdout
    assert (command.help or "").strip().endswith((".", "for."))
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_development_officers_are_made_loudly_and_found_at_once(tmp_path: Path) -> None:
    town = Town(tmp_path)
    ran = town.run("init", "--network", "delta", "--dev-officers", 3, "--json")
    document = json.loads(ran.stdout)
    assert document["published"]
    assert "DEVELOPMENT ONLY" in ran.stderr
    made = sorted((town.home / "dev-officers").glob("*.pem"))
    assert [path.name for path in made] == ["officer-1.pem", "officer-2.pem", "officer-3.pem"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in made)
    assert Reader(town.store.file, town.store.file("1.root.json") or b"").get("network.json")
    assert town.store.founded().root.signed.roles["root"].threshold == 2
    # The keys work as any officer's.
    envelope = Node("310115").request()
    authority.request_membership(town.store, envelope, now_ms())
    proposal = town.propose("approve", "310115", "--fingerprint", fingerprint_of(envelope))
    for path in made[:2]:
        town.json("sign", proposal, "--key", path, "--yes")
    assert town.json("submit", proposal)["proposals"][0]["published"]


def test_the_root_fingerprint_is_the_same_before_and_after_signing(tmp_path: Path) -> None:
    town = Town(tmp_path).found()
    assert town.json("show")["root_fingerprint"] == town.root_fingerprint
    assert town.network == f"delta:{town.root_fingerprint[:16]}"
    assert town.run("show").stdout.splitlines()[1] == f"root fingerprint  {town.root_fingerprint}"


def test_the_folder_of_the_registry_is_its_owners_alone(town: Town) -> None:
    assert (town.home / "online.pem").stat().st_mode & 0o777 == 0o600


def test_home_and_json_may_stand_before_the_command(town: Town) -> None:
    ran = CliRunner().invoke(registry, ["--home", str(town.home), "--json", "show"], env={"XINQIAO_HOME": None})
    assert json.loads(ran.stdout)["network"] == town.network


def test_home_and_json_may_stand_before_the_whole_group(town: Town) -> None:
    @click.group()
    @click.option("--home")
    @click.option("--json", is_flag=True)
    def xinqiao(home: str, json: bool) -> None:
        """The outer command."""

    xinqiao.add_command(registry)
    given = ["--home", str(town.home), "--json", "registry", "requests"]
    ran = CliRunner().invoke(xinqiao, given, env={"XINQIAO_HOME": None})
    assert json.loads(ran.stdout) == {"requests": []}


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["init", "--network", "delta"],
        ["init", "--network", "delta", "--dev-officers", "0"],
        ["sign", "nowhere.proposal", "--key", "nowhere.pem"],
        ["submit"],
        ["propose", "approve", "310115", "-o", "x"],
        ["nonsense"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(registry, arguments, env={"XINQIAO_HOME": None}).exit_code == 2


def test_errors_name_what_is_wrong_who_acts_and_what_comes_next(tmp_path: Path) -> None:
    town = Town(tmp_path)
    ran = town.run("show")
    assert ran.exit_code == 1
    assert ran.stdout == ""
    first, who, following = ran.stderr.splitlines()
    assert first == f"REGISTRY_HOME_MISSING: {town.home} holds no registry"
    assert who == "  who must act: you"
    assert following.startswith("  next: create one with `xinqiao registry init")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--network", "Delta!", "--dev-officers", 1], "ARGUMENT_INVALID"),
        (["--network", "delta", "--dev-officers", 2, "--threshold", 3], "ARGUMENT_INVALID"),
        (["--network", "delta", "--dev-officers", 2, "--threshold", 0], "ARGUMENT_INVALID"),
        (["--network", "delta", "--officer-key", "ed25519:nonsense"], "ARGUMENT_INVALID"),
    ],
)
def test_a_founding_that_cannot_work_is_refused_and_can_be_corrected(
    tmp_path: Path, arguments: list[object], code: str
) -> None:
    town = Town(tmp_path)
    assert town.refused("init", *arguments)["code"] == code
    assert town.json("init", "--network", "delta", "--dev-officers", 1)["published"]
    assert town.refused("init", "--network", "delta", "--dev-officers", 1)["code"] == "REGISTRY_HOME_EXISTS"


def test_a_minority_threshold_is_warned_about(tmp_path: Path) -> None:
    ran = Town(tmp_path).run("init", "--network", "delta", "--dev-officers", 4, "--threshold", 2)
    assert ran.exit_code == 0
    assert "2 of 4 is no majority" in ran.stderr


def test_an_own_calendar_takes_the_place_of_the_built_in_one(tmp_path: Path, founded: Town) -> None:
    town = Town(tmp_path)
    calendar = tmp_path / "own.json"
    built_in = json.loads(founded.store.founded().files["calendar/2026.1.json"])
    calendar.write_text(json.dumps(built_in | {"version": "3000.1"}))
    town.json("init", "--network", "delta", "--dev-officers", 1, "--calendar", calendar)
    assert [each for each in town.store.founded().files if "calendar" in each] == ["calendar/3000.1.json"]


def test_an_own_edition_takes_the_place_of_the_built_in_ones(tmp_path: Path, founded: Town) -> None:
    town = Town(tmp_path)
    path = next(each for each in founded.store.founded().files if each.startswith("catalogue/"))
    edition = tmp_path / "own.json"
    edition.write_text(json.dumps(json.loads(founded.store.founded().files[path]) | {"version": "3000.1"}))
    town.json("init", "--network", "delta", "--dev-officers", 1, "--edition", edition)
    assert [each for each in town.store.founded().files if each.startswith("catalogue/")] == ["catalogue/3000.1.json"]


def test_a_passphrase_from_the_environment_encrypts_an_officers_key(tmp_path: Path) -> None:
    environment = {"XINQIAO_OFFICER_PASSPHRASE": "open sesame"}
    ran = CliRunner().invoke(registry, ["officer", "keygen", "-o", str(tmp_path / "k.pem")], env=environment)
    public = keys.public_of(keys.load(tmp_path / "k.pem", b"open sesame", ""))
    assert ran.stdout.strip() == to_text(public)
    assert "not encrypted" not in ran.stderr


def test_a_network_can_be_founded_with_own_measures_and_with_matters(tmp_path: Path) -> None:
    town = Town(tmp_path / "town")
    measures, matters = tmp_path / "measures.json", tmp_path / "matters.json"
    measures.write_bytes(make_measures("OWN-1-1", version="3000.1"))
    matters.write_bytes(make_matters(make_matter(measures=["OWN-1-1"]), version="3000.1"))
    town.json("init", "--network", "delta", "--dev-officers", 1, "--measures", measures, "--matters", matters)
    found = [each for each in town.store.founded().files if each.startswith("m")]
    assert sorted(found) == ["matters/3000.1.json", "measures/3000.1.json"]
    assert "Publish" not in town.run("show").output


def test_an_empty_passphrase_leaves_no_key_unencrypted(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    given = ["officer", "keygen", "-o", str(tmp_path / "k.pem")]
    for arguments, words in (
        ([*given, "--passphrase-file", str(tmp_path / "empty")], None),
        (given, ""),
    ):
        ran = CliRunner().invoke(registry, arguments, env={"XINQIAO_OFFICER_PASSPHRASE": words})
        assert (ran.exit_code, ran.stderr.partition(":")[0]) == (1, "ARGUMENT_INVALID")
    assert not (tmp_path / "k.pem").exists()


def test_officers_are_reminded_before_what_they_signed_expires(
    member: tuple[Town, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    town, _ = member
    assert "expires in" not in town.run("show").stderr
    monkeypatch.setattr("registry.cli.now_ms", lambda: now_ms() + (61 * 24 + 1) * 3_600_000)
    assert town.run("show").stderr.splitlines() == [
        "region-31 expires in 28 days; next: `xinqiao registry propose renew region-31 -o FILE`"
    ]
    monkeypatch.undo()
    town.decide("renew", "region-31")
    assert town.json("show")["roles"]["region-31"]["version"] == 2


def test_two_open_proposals_for_one_list_are_pointed_out(member: tuple[Town, Node]) -> None:
    town, _ = member
    town.json("submit", town.signed_by(1, town.propose("suspend", "310115", "--reason", "one")))
    ran = town.run("propose", "suspend", "310115", "--reason", "two", "-o", town.folder / "second")
    assert "1 submitted proposal(s) change the same lists" in ran.stderr
