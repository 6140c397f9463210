"""The exported log proof, read as a third-party tool reads it: by the text formats alone."""

import base64
from functools import cache
from hashlib import sha256

import pytest

from node.core.errors import XinqiaoError
from node.core.membership import Member
from node.core.merkle import check_inclusion, leaf_hash
from node.evidence.export import SIGNATURE_TYPE, checkpoint_body, open_checkpoint, to_checkpoint, to_tlog_proof
from node.pb import channel_pb2, evidence_pb2
from node.ports import RegistryState
from tests.evidence.network import CHANNEL, ORIGIN, WITNESS, Network


@cache
def network() -> Network:
    made = Network()
    for rows in (1, 2, 3, 1):
        made.publish(rows)
    return made


@cache
def bundle(index: int = 3) -> evidence_pb2.EvidenceBundle:
    return network().bundle(index)


@cache
def state() -> RegistryState:
    return network().state


def origin(node: str = ORIGIN) -> Member:
    return state().members.by_id[node]


@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_a_tlog_proof_holds_for_whoever_reads_the_text(index: int) -> None:
    proof, _, checkpoint = to_tlog_proof(bundle(index)).partition("\n\n")
    first, extra, place, *siblings = proof.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert place == f"index {index}"
    header = base64.b64decode(extra.removeprefix("extra "), validate=True)
    assert channel_pb2.EntryHeader.FromString(header).index == index
    _, size, root = checkpoint.split("\n")[:3]
    hashes = [base64.b64decode(line, validate=True) for line in siblings]
    leaf = sha256(b"\x00" + header).digest()
    assert leaf == leaf_hash(header)
    assert check_inclusion(leaf, index, int(size), hashes, base64.b64decode(root, validate=True))


def test_a_checkpoint_is_a_note_of_three_lines_and_one_signature() -> None:
    note = to_checkpoint(bundle())
    body, _, signature = note.partition("\n\n")
    head = network().head()
    line = f"xinqiao/{state().network}/{CHANNEL}/0"
    assert f"{body}\n" == checkpoint_body(bundle())
    assert body.split("\n") == [line, str(head.size), base64.b64encode(head.root).decode()]
    assert " " not in line
    assert "+" not in line
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", line)
    key = network().keys[ORIGIN].signer.public
    identifier = line.encode() + b"\n\xff" + SIGNATURE_TYPE + sha256(key.spki).digest()
    assert base64.b64decode(encoded, validate=True)[:4] == sha256(identifier).digest()[:4]
    assert note.endswith("\n")
    assert all(character == "\n" or ord(character) >= 0x20 for character in note)


def test_a_checkpoint_is_believed_for_the_heartbeat_it_carries() -> None:
    note = to_checkpoint(bundle())
    assert open_checkpoint(note, origin(), state().network) == network().head()


def test_a_checkpoint_of_another_node_is_not_believed() -> None:
    with pytest.raises(XinqiaoError, match="SIGNATURE"):
        open_checkpoint(to_checkpoint(bundle()), origin(WITNESS), state().network)


@pytest.mark.parametrize(
    ("before", "after"), [("/penalties/0\n", "/penalties/1\n"), ("\n5\n", "\n6\n"), ("xinqiao/", "xinqia/")]
)
def test_a_checkpoint_that_says_more_than_its_heartbeat_is_not_believed(before: str, after: str) -> None:
    note = to_checkpoint(bundle())
    assert before in note
    with pytest.raises(XinqiaoError, match="HEARTBEAT"):
        open_checkpoint(note.replace(before, after, 1), origin(), state().network)


@pytest.mark.parametrize("note", ["", "a\n1\nb\n", "a\n1\nb\n\n\u2014 a !!\n", "a\n1\nb\n\n\u2014 a AAAAAAAA\n"])
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(XinqiaoError):
        open_checkpoint(note, origin(), state().network)


def test_no_character_of_a_checkpoint_is_free() -> None:
    note = to_checkpoint(bundle())
    for at, character in enumerate(note):
        other = note[:at] + ("B" if character != "B" else "C") + note[at + 1 :]
        with pytest.raises(XinqiaoError):
            open_checkpoint(other, origin(), state().network)
