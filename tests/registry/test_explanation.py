"""What officers read is what they sign: a proposal that was tampered with is never signed and never published."""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.membership import fingerprint_of
from node.core.suites import to_text
from registry import authority, keys, proposals
from registry.explanation import explain
from registry.wording import grouped, shown, when
from tests.builders import make_matter, make_matters, make_measures
from tests.registry.town import Node, NodeKey, Town, now_ms

Document = dict[str, Any]
Tamper = Callable[[Document], None]

ADMIT, SUSPEND, REINSTATE, BEGIN, RENEW, REJECT = "admit", "suspend", "reinstate", "begin", "renew", "reject"


def proposed(member: tuple[Town, Node], what: str) -> Path:
    """An honest proposal of one kind."""
    town, node = member
    if what in (ADMIT, BEGIN, REJECT):
        other = Node("310101" if what != BEGIN else "320500", "another")
        envelope = other.request()
        authority.request_membership(town.store, envelope, now_ms())
        if what == REJECT:
            return town.propose("reject", other.id, "--reason", "no letter")
        return town.propose("approve", other.id, "--fingerprint", fingerprint_of(envelope))
    if what == RENEW:
        return town.propose("renew", "root", "region-31")
    leaves = {"310115": [bytes([place]) * 32 for place in range(7)]}
    authority.report_heads(town.store, node.report(town.network, leaves), now_ms())
    if what == REINSTATE:
        town.decide("suspend", "310115")
        return town.propose("reinstate", "310115")
    return town.propose("suspend", "310115", "--reason", "forked its history")


def lines_of(town: Town, proposal: Path) -> list[str]:
    lines: list[str] = town.json("sign", proposal, "--key", town.officers[0] / "key.pem", "--yes")["lines"]
    return lines


# --- What the officers read ---------------------------------------------------------------------------------


def test_an_admission_says_who_with_which_keys_for_whom(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = proposed(member, ADMIT)
    target = paths.parse_node(json.loads(proposal.read_bytes())["files"]["nodes/31/310101.json"].encode())
    text = "\n".join(lines_of(town, proposal))
    fingerprint = grouped(target.descriptor.fingerprint)
    assert f"Admit the node 310101 another (district, parent 310000) with the fingerprint {fingerprint}" in text
    assert "it may speak for the authority 11310115MB000000X0 from always until further notice" in text
    assert f"signing key {target.descriptor.signing_keys[0].public.key_id} (ed25519, active" in text
    assert f"TLS certificate {hashlib.sha256(target.descriptor.tls_certificates[0]).hexdigest()}" in text
    assert "This is version 2 of region-31, valid until" in text
    assert grouped(town.root_fingerprint) in text


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (
            SUSPEND,
            "Suspend 310115 浦东新区: nothing it signs after the cut (7 channel heads, 7 of them new) is accepted; ",
        ),
        (REINSTATE, "Reinstate 310115 浦东新区 (suspended until now): its channels go on in epoch 1"),
        (BEGIN, "Begin region-32: 2 of the same 3 officers list its nodes"),
        (RENEW, "Renew the root: the same officers, the same threshold"),
        (RENEW, "Renew region-31: what it lists stays as it is"),
        (REJECT, ": no letter; decided"),
    ],
)
def test_each_decision_has_its_words(member: tuple[Town, Node], what: str, words: str) -> None:
    assert words in "\n".join(lines_of(member[0], proposed(member, what)))


def test_the_founding_names_officers_threshold_and_fingerprint(town: Town) -> None:
    founding = proposals.parse((town.home / "founding.proposal").read_bytes(), "founding")
    text = "\n".join(explain(founding, now_ms()).lines)
    assert f"Found the network delta with the root fingerprint {grouped(town.root_fingerprint)}" in text
    assert "2 of these 3 officers decide together:" in text
    for folder in town.officers:
        public = keys.public_of(keys.load(folder / "key.pem", None, ""))
        assert to_text(public) in text
    assert "Publish the catalogue edition" in text
    assert "Publish the rules edition 2026.1 in force from 2026-01-01 (19 rules; " in text


def test_a_name_cannot_disguise_itself(town: Town) -> None:
    envelope = Node("310115", "harmless\x1b[2K\r\u202eReject\n").request()
    authority.request_membership(town.store, envelope, now_ms())
    text = "\n".join(lines_of(town, town.propose("approve", "310115", "--fingerprint", fingerprint_of(envelope))))
    assert "harmless\\u001b[2K\\u000d\\u202eReject\\u000a" in text
    assert "\x1b" not in text


def test_times_and_digests_are_written_for_people() -> None:
    assert grouped("ab12cd34ef") == "ab12 cd34 ef"
    assert when(1_700_000_000_000) == "2023-11-14 22:13:20 UTC"
    assert when(1 << 62) == f"{1 << 62} ms"
    assert shown("浦东新区 a-b") == "浦东新区 a-b"


# --- Tampering ----------------------------------------------------------------------------------------------


def put(document: Document, path: str, content: str) -> None:
    """Add a file and make the metadata fit it: what a careful attacker does."""
    role = "region-31" if path.count("/") == 2 else "targets"
    document["files"][path] = content
    encoded = content.encode()
    info = {"length": len(encoded), "hashes": {"sha256": hashlib.sha256(encoded).hexdigest()}}
    document["changed"][role]["signed"]["targets"][path] = info


def edit(path: str, change: Callable[[Document], None]) -> Tamper:
    """Change the JSON of a target file, with the metadata fitting again."""

    def tamper(document: Document) -> None:
        content = json.loads(document["files"][path])
        change(content)
        put(document, path, json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

    return tamper


def at(*path: str | int, value: Any = None) -> Tamper:
    """Set one place of the proposal; without a value, remove it."""

    def tamper(document: Document) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return tamper


def add_stranger(document: Document) -> None:
    envelope = Node("310199", "stranger").request()
    listed = json.loads(document["files"]["nodes/31/310101.json"])
    listed["descriptor"] = base64.b64encode(envelope.SerializeToString()).decode()
    put(document, "nodes/31/310101.json", json.dumps(listed, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def swap_signatures(document: Document) -> None:
    first, second = document["base"]["region-31"]["signatures"][:2]
    first["sig"], second["sig"] = second["sig"], first["sig"]


def hide_previous(document: Document) -> None:
    del document["previous"]["nodes/31/310115.json"]


def pretend_new_region(document: Document) -> None:
    """Show a region as if it began now, so that what it lists already disappears unseen."""
    del document["base"]["region-31"]
    signed = document["changed"]["region-31"]["signed"]
    del signed["targets"][MEMBER]
    signed["version"] = 1


def delegation(**changes: Any) -> Tamper:
    def tamper(document: Document) -> None:
        document["changed"]["targets"]["signed"]["delegations"]["roles"][-1] |= changes

    return tamper


def add_officer(document: Document) -> None:
    public = keys.public_key_in("ed25519:MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")
    key = keys.tuf_key(public)
    signed = document["changed"]["root"]["signed"]
    signed["keys"][key.keyid] = key.to_dict()
    signed["roles"]["root"]["keyids"].append(key.keyid)


REGION = ("changed", "region-31", "signed")
NODE, CUT = "nodes/31/310101.json", "cuts/31/310115.json"
MEMBER = "nodes/31/310115.json"
BUILT_IN = Path(__file__).resolve().parents[2] / "registry" / "editions" / "calendar-2026.1.json"
CALENDAR = BUILT_IN.read_text("utf-8").replace("2004 to", "2004 up to")
MEASURES, MATTERS = make_measures().decode(), make_matters(make_matter()).decode()

TAMPERED: dict[str, tuple[str, Tamper]] = {
    "a file without its metadata": (ADMIT, at("files", NODE, value="{}")),
    "metadata without its file": (ADMIT, at("files", NODE)),
    "a listing more": (
        ADMIT,
        at(*REGION, "targets", "nodes/31/310199.json", value={"length": 1, "hashes": {"sha256": "0"}}),
    ),
    "a listing less": (ADMIT, at(*REGION, "targets", MEMBER)),
    "a file of no kind": (ADMIT, lambda document: put(document, "nodes/31/readme.txt", "hello")),
    "a file in another region": (ADMIT, lambda document: put(document, "nodes/32/310101.json", "{}")),
    "another node in the file": (ADMIT, add_stranger),
    "a key more in a listing": (ADMIT, edit(NODE, lambda content: content.update(note="hello"))),
    "another layout of a listing": (ADMIT, lambda document: put(document, NODE, document["files"][NODE] + " ")),
    "a new member in epoch 3": (ADMIT, edit(NODE, lambda content: content.update(open_epoch=3))),
    "a new member, suspended": (ADMIT, edit(NODE, lambda content: content.update(standing="suspended"))),
    "a version left out": (ADMIT, at(*REGION, "version", value=7)),
    "a version repeated": (ADMIT, at(*REGION, "version", value=1)),
    "an expiry in ten years": (ADMIT, at(*REGION, "expires", value="2046-01-01T00:00:00Z")),
    "an expiry in the past": (ADMIT, at(*REGION, "expires", value="2020-01-01T00:00:00Z")),
    "an unknown field that is signed": (ADMIT, at(*REGION, "note", value="hello")),
    "an unknown field that is not signed": (ADMIT, at("changed", "region-31", "note", value="hello")),
    "remarks on a file": (ADMIT, at(*REGION, "targets", MEMBER, "custom", value={"x": 1})),
    "regions below a region": (ADMIT, at(*REGION, "delegations", value={"keys": {}, "roles": []})),
    "another network": (ADMIT, at("network", value="delta:0000000000000000")),
    "no base": (ADMIT, at("base", "region-31")),
    "a region that pretends to begin": (ADMIT, pretend_new_region),
    "no targets": (ADMIT, at("base", "targets")),
    "a forged base": (ADMIT, at("base", "region-31", "signed", "version", value=4)),
    "swapped signatures of the base": (ADMIT, swap_signatures),
    "no roots": (ADMIT, at("roots", value=[])),
    "a role for the online key": (
        ADMIT,
        lambda document: document["changed"].update(snapshot=document["base"]["targets"]),
    ),
    "a region with a lower threshold": (BEGIN, delegation(threshold=1)),
    "a region with more paths": (BEGIN, delegation(paths=["nodes/*/*"])),
    "a region that is not terminating": (BEGIN, delegation(terminating=False)),
    "a region of another name": (BEGIN, delegation(name="region-99")),
    "a former listing that is hidden": (SUSPEND, hide_previous),
    "a cut left out": (SUSPEND, at("files", CUT)),
    "a cut of another length of leaf": (SUSPEND, edit(CUT, lambda content: content.update(head_leaves=["00"]))),
    "a suspension without a reason": (SUSPEND, edit(MEMBER, lambda content: content.update(reason=""))),
    "a suspension in another epoch": (SUSPEND, edit(MEMBER, lambda content: content.update(open_epoch=1))),
    "a reinstatement in the same epoch": (REINSTATE, edit(MEMBER, lambda content: content.update(open_epoch=0))),
    "a reinstatement two epochs on": (REINSTATE, edit(MEMBER, lambda content: content.update(open_epoch=2))),
    "a reinstatement with another cut": (
        REINSTATE,
        lambda document: put(document, CUT, paths.encode_cut("310115", frozenset(), 1).decode()),
    ),
    "another officer": (RENEW, add_officer),
    "a lower threshold": (RENEW, at("changed", "root", "signed", "roles", "root", "threshold", value=1)),
    "no consistent snapshots": (RENEW, at("changed", "root", "signed", "consistent_snapshot", value=False)),
    "a calendar under another name": (BEGIN, lambda document: put(document, "calendar/2030.1.json", CALENDAR)),
    "a calendar published before": (BEGIN, lambda document: put(document, "calendar/2026.1.json", CALENDAR)),
    "measures under another name": (BEGIN, lambda document: put(document, "measures/2030.1.json", MEASURES)),
    "measures published before": (BEGIN, lambda document: put(document, "measures/2026.1.json", MEASURES)),
    "matters under another name": (BEGIN, lambda document: put(document, "matters/2030.1.json", MATTERS)),
    "a matter that says more than its words": (
        BEGIN,
        lambda document: put(document, "matters/2026.1.json", MATTERS.replace('"code"', '"note": "x", "code"')),
    ),
    "a network renamed": (RENEW, lambda document: document["files"].update({"network.json": "{}"})),
}


def submit_carelessly(town: Town, path: Path) -> None:
    """Sign with two officers' keys by a program that explains nothing, and submit."""
    careless = proposals.parse(path.read_bytes(), "")
    for folder in town.officers[:2]:
        careless = proposals.sign(careless, keys.load(folder / "key.pem", None, ""))
    authority.submit(town.store, {"": careless}, authority.open_online_key(town.store, None), now_ms())


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_proposal_is_neither_signed_nor_published(member: tuple[Town, Node], case: str) -> None:
    town, _ = member
    what, tamper = TAMPERED[case]
    path = proposed(member, what)
    # (1) as it was made, it is explained
    honest = json.loads(path.read_bytes())
    assert explain(proposals.parse(path.read_bytes(), ""), now_ms()).unexplained == []
    # (2) tampered with, no officer's machine signs it
    document = copy.deepcopy(honest)
    tamper(document)
    assert document != honest
    path.write_text(json.dumps(document))
    error = town.refused("sign", path, "--key", town.officers[0] / "key.pem", "--yes")
    assert error["code"] in ("PROPOSAL_UNEXPLAINED", "PROPOSAL_INVALID")
    # (3) nor does the registry publish it, even with enough signatures of officers who did not look
    before = town.store.file("timestamp.json")
    with pytest.raises(XinqiaoError) as refused:
        submit_carelessly(town, path)
    assert refused.value.code in ("PROPOSAL_UNEXPLAINED", "PROPOSAL_INVALID", "PROPOSAL_OUTDATED", "REGISTRY_INVALID")
    assert town.store.file("timestamp.json") == before


def test_a_signature_does_not_survive_a_change(member: tuple[Town, Node]) -> None:
    town, _ = member
    path = town.signed_by(1, proposed(member, ADMIT))
    document = json.loads(path.read_bytes())
    document["changed"]["region-31"]["signed"]["expires"] = "2026-12-31T00:00:00Z"
    path.write_text(json.dumps(document))
    assert town.refused("sign", path, "--key", town.officers[1] / "key.pem", "--yes")["code"] == "PROPOSAL_INVALID"
    assert town.refused("submit", path)["code"] == "PROPOSAL_INVALID"


def test_a_signature_under_another_officers_name_is_refused(member: tuple[Town, Node]) -> None:
    town, _ = member
    path = town.signed_by(1, proposed(member, ADMIT))
    document = json.loads(path.read_bytes())
    role = document["changed"]["region-31"]
    others = [each["keyid"] for each in document["base"]["region-31"]["signatures"]]
    role["signatures"].append({"keyid": next(each for each in others if each != role["signatures"][0]["keyid"])})
    role["signatures"][1]["sig"] = role["signatures"][0]["sig"]
    path.write_text(json.dumps(document))
    assert town.refused("submit", path)["code"] == "PROPOSAL_INVALID"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"format": "xinqiao-proposal/9"}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_file_that_is_no_proposal_is_refused(town: Town, content: bytes) -> None:
    path = town.folder / "x.proposal"
    path.write_bytes(content)
    assert town.refused("sign", path, "--key", town.officers[0] / "key.pem", "--yes")["code"] == "PROPOSAL_INVALID"
    assert town.refused("submit", path)["code"] == "PROPOSAL_INVALID"


def test_a_founding_with_one_key_twice_is_refused(tmp_path: Path) -> None:
    town = Town(tmp_path)
    public = town.json("officer", "keygen", "-o", tmp_path / "key.pem")["officer_key"]
    twice = ("--officer-key", public, "--officer-key", public)
    assert town.refused("init", "--network", "delta", *twice, "--threshold", 2)["code"] == "ARGUMENT_INVALID"


def test_a_lost_key_cannot_be_replaced_by_a_stranger_through_the_officers(member: tuple[Town, Node]) -> None:
    """The listing is replaced wholesale by another node's, in a file that hides nothing."""
    town, _ = member
    path = proposed(member, SUSPEND)
    document = json.loads(path.read_bytes())
    stranger = Node("310115", key=NodeKey()).request(version=2)
    listed = json.loads(document["previous"][MEMBER])
    listed["descriptor"] = base64.b64encode(stranger.SerializeToString()).decode()
    del document["files"][CUT], document["changed"]["region-31"]["signed"]["targets"][CUT]
    put(document, MEMBER, json.dumps(listed, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    path.write_text(json.dumps(document))
    error = town.refused("sign", path, "--key", town.officers[0] / "key.pem", "--yes")
    assert error["code"] == "PROPOSAL_UNEXPLAINED"
    assert "does not continue the listed one" in error["text"]
