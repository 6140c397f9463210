"""docs/PROTOCOL.md says what the code does: its generated parts, its numbers, its names and its worked example."""

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from node.core.errors import CODES
from node.core.limits import DEFAULT_LIMITS
from node.pb import channel_pb2, listing_pb2, record_pb2, registry_pb2
from scripts import gen_docs

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "PROTOCOL.md"
RULE = re.compile(r"^- \*\*P-(\d+)\*\*", re.MULTILINE)
FENCE = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def chapter(number: int) -> str:
    """The text of a chapter."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", page(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


# --- Names and numbers --------------------------------------------------------------------------------------


def test_the_generated_blocks_are_up_to_date() -> None:
    assert gen_docs.rewritten(page()) == page(), "run scripts/gen_docs and commit docs/"


def test_a_block_that_nobody_makes_is_refused() -> None:
    with pytest.raises(KeyError):
        gen_docs.rewritten("<!-- begin generated: nothing -->\n<!-- end generated -->\n")


def test_the_check_names_an_outdated_page_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "PROTOCOL.md"
    changed = page().replace("| `max_frame_bytes` | 262,144 |", "| `max_frame_bytes` | 262,145 |")
    assert changed != page()
    copy.write_text(changed, encoding="utf-8")
    assert gen_docs.main(["--check", "--docs", str(tmp_path)]) == 1
    assert "PROTOCOL.md" in capsys.readouterr().out
    assert copy.read_text(encoding="utf-8") == changed
    assert gen_docs.main(["--docs", str(tmp_path)]) == 0
    assert copy.read_text(encoding="utf-8") == page()


def test_rules_are_numbered_without_gaps_and_references_lead_to_one() -> None:
    numbers = [int(number) for number in RULE.findall(page())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {int(number) for number in re.findall(r"P-(?!256\b)(\d+)", page())} == set(numbers)


def test_every_chapter_stands_in_the_list_of_contents() -> None:
    headings = re.findall(r"^## (\d+\. .*)$", page(), re.MULTILINE)
    listed = re.findall(r"^(\d+)\. \[(.*)\]\(#(.*)\)$", page(), re.MULTILINE)
    assert [f"{number}. {title}" for number, title, _ in listed] == headings
    for number, title, anchor in listed:
        assert anchor == re.sub(r"[^a-z0-9 -]", "", f"{number} {title}".lower()).replace(" ", "-")


def test_every_code_stands_in_the_table_of_errors_with_its_words() -> None:
    rows = [line.strip("| \n").split(" | ") for line in chapter(23).splitlines() if line.startswith("| `")]
    shown = {row[0].strip("`"): tuple(cell.replace("\\|", "|") for cell in row[1:]) for row in rows}
    assert len(rows) == len(shown)
    assert shown == {code: (spec.text, spec.who, spec.next, spec.status) for code, spec in CODES.items()}


def test_every_code_that_a_rule_names_exists() -> None:
    rules = page().partition("## 20.")[0]
    schemas = (channel_pb2, listing_pb2, record_pb2)
    enums = [enum for schema in schemas for enum in schema.DESCRIPTOR.enum_types_by_name.values()]
    known = CODES.keys() | {value.name for enum in enums for value in enum.values}
    found = set(re.findall(r"`([A-Z]+_[A-Z0-9_]+)`", rules))
    assert len(found) > 30
    # gRPC's own status, and no code of ours.
    assert found - known == {"RESOURCE_EXHAUSTED"}


def test_every_limit_that_a_rule_names_exists() -> None:
    found = set(re.findall(r"`((?:max|call|stream)_[a-z_]+)`", page()))
    assert len(found) > 20
    assert [name for name in sorted(found) if not hasattr(DEFAULT_LIMITS, name)] == []


# --- Guarantees ---------------------------------------------------------------------------------------------


def guarantees() -> dict[str, str]:
    """The row of each guarantee."""
    rows = [line for line in chapter(20).splitlines() if re.match(r"\| G\d+ ", line)]
    return {line.split()[1]: line for line in rows}


@cache
def names_of_tests() -> frozenset[str]:
    """The names of all test functions."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return frozenset(name for source in sources for name in re.findall(r"def (test_\w+)", source))


def test_every_guarantee_names_its_rules_and_tests_that_exist() -> None:
    assert list(guarantees()) == [f"G{number}" for number in range(1, 13)]
    for row in guarantees().values():
        assert re.search(r"P-\d+", row), row
        named = re.findall(r"`(tests/[\w/]+\.py)`|`(test_\w+)`", row)
        assert named, row
        for path, function in named:
            assert (ROOT / path).is_file() if path else function in names_of_tests(), path or function


def test_a_guarantee_with_tests_named_after_it_names_one_of_them() -> None:
    for guarantee, row in guarantees().items():
        named_after = {name for name in names_of_tests() if name.startswith(f"test_{guarantee.lower()}_")}
        assert not named_after or named_after & set(re.findall(r"`(test_\w+)`", row)), guarantee


# --- The worked example, recomputed from what the page shows, without the code of the node --------------------


@cache
def shown() -> Mapping[str, str]:
    """The values of the example by name, as they stand on the page."""
    values: dict[str, str] = {}
    for block in FENCE.findall(chapter(21)):
        name = ""
        for line in block.splitlines():
            if line.startswith("  "):
                values[name] += line.strip()
            else:
                name, _, value = line.partition(":")
                assert name not in values
                values[name] = value.strip()
    return values


def raw(name: str) -> bytes:
    return bytes.fromhex(shown()[name])


def leaf(content: bytes) -> bytes:
    return sha256(b"\x00" + content).digest()


def inner(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def pae(kind: str, payload: bytes) -> bytes:
    return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload


def verify(spki: bytes, signature: bytes, kind: str, payload: bytes) -> None:
    """Check a signature; raises InvalidSignature."""
    key = load_der_public_key(spki)
    assert isinstance(key, Ed25519PublicKey)
    key.verify(signature, pae(f"application/vnd.xinqiao.{kind}.v1+protobuf", payload))


def test_the_key_of_the_example_is_the_one_that_the_rfc_prints() -> None:
    printed = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    spki = raw("SubjectPublicKeyInfo, DER")
    assert spki == bytes.fromhex("302a300506032b6570032100" + printed)
    assert shown()["key id"] == sha256(spki).hexdigest()


def test_the_pae_of_the_example_is_the_published_one() -> None:
    assert raw("PAE") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    for index in ("0", "1"):
        payload = raw(f"header payload {index}")
        covered = pae("application/vnd.xinqiao.entry-header.v1+protobuf", payload)
        assert raw(f"PAE {index}, before the payload") + payload == covered


def test_the_entries_of_the_example_hash_and_verify_as_the_rules_say() -> None:
    commitments = [leaf(raw(f"salt {at}") + raw(f"record {at}")) for at in range(2)]
    assert commitments == [raw("commitment 0"), raw("commitment 1")]
    assert raw("records_root") == inner(*commitments)
    leaves = [leaf(raw(f"header payload {at}")) for at in range(2)]
    assert leaves == [raw("leaf 0"), raw("leaf 1")]
    assert raw("prev_root") == leaves[0]
    assert raw("root over 2 entries") == inner(*leaves)
    for index in ("0", "1"):
        verify(
            raw("SubjectPublicKeyInfo, DER"), raw(f"signature {index}"), "entry-header", raw(f"header payload {index}")
        )


def test_the_headers_of_the_example_hold_what_the_page_shows() -> None:
    first, second = (channel_pb2.EntryHeader.FromString(raw(f"header payload {at}")) for at in range(2))
    empty = sha256(b"").digest()
    assert raw("root of the empty tree") == empty == first.prev_root == first.records_root
    assert (second.prev_root, second.records_root) == (raw("prev_root"), raw("records_root"))
    assert second.uncompressed_bytes_max == len(raw("EntryBody"))
    slots = channel_pb2.EntryBody.FromString(raw("EntryBody")).slots
    assert [(slot.salt, slot.record) for slot in slots] == [(raw(f"salt {at}"), raw(f"record {at}")) for at in range(2)]
    record = record_pb2.Record.FromString(raw("record 0"))
    assert (record.item, [field.number for field in record.fields]) == ("registration.base", [1, 2, 4, 5])


def test_the_head_leaf_and_the_heartbeat_of_the_example_fold_as_the_rules_say() -> None:
    preimage = shown()["hashed after 0x00"].replace("\\n", "\n").encode()
    assert preimage == f"xinqiao/head/v1\n310000/base\n0\n2\n{shown()['root over 2 entries']}\n".encode()
    head = leaf(preimage)
    assert head == raw("head leaf")
    other = leaf(f"xinqiao/head/v1\n310000/licences\n0\n1\n{shown()['root of the other channel']}\n".encode())
    assert other == raw("head leaf 1")
    assert raw("heads_root") == inner(head, other)
    heartbeat = channel_pb2.Heartbeat.FromString(raw("heartbeat payload"))
    assert (heartbeat.heads_root, heartbeat.head_count) == (raw("heads_root"), 2)
    verify(raw("SubjectPublicKeyInfo, DER"), raw("heartbeat signature"), "heartbeat", raw("heartbeat payload"))
    view = channel_pb2.HeartbeatView.FromString(raw("narrowed view"))
    assert [(item.position, item.head.channel, item.head.size) for item in view.heads] == [(0, "310000/base", 2)]
    assert list(view.hashes) == [other]


def test_the_receipt_of_the_example_verifies_under_the_second_key_of_the_rfc() -> None:
    spki = raw("SubjectPublicKeyInfo of the subscriber")
    assert spki.hex().endswith("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    verify(spki, raw("receipt signature"), "receipt", raw("receipt payload"))
    receipt = channel_pb2.Receipt.FromString(raw("receipt payload"))
    assert (receipt.size, receipt.applied_size, receipt.root) == (2, 2, raw("root over 2 entries"))


def test_the_states_and_types_that_the_rules_name_are_those_of_the_schema() -> None:
    states = {name.removeprefix("KEY_STATE_") for name in registry_pb2.KeyState.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert {name for name in states if f"`{name}`" in chapter(3)} == states
