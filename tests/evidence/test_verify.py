"""A bundle against damage: what a sound one says, and each flipped bit and malformed message is refused."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest

from node.core.limits import Limits
from node.core.membership import Standing
from node.core.suites import ECDSA_P256, ED25519
from node.evidence.explanation import explain
from node.evidence.verify import verify
from tests.evidence.bundles import Bundle, network, network_of, refusal, sound, sound_bundle, sound_of, step_of
from tests.evidence.network import CHANNEL, NATIONAL, ORIGIN, OTHER

ROOT = Path(__file__).resolve().parents[2]


# --- What a sound bundle says -------------------------------------------------------------------------------


def test_a_sound_bundle_tells_everything_a_person_wants_to_know() -> None:
    found = verify(sound(), network().fingerprint)
    assert (found.network, found.network_name) == (network().state.network, "delta")
    assert (found.origin, found.origin_name, found.standing) == (ORIGIN, "示例310000", Standing.ACTIVE)
    assert (found.place.channel, found.place.epoch, found.place.index, found.place.position) == (CHANNEL, 0, 3, 1)
    assert (found.item, found.item_title_zh, found.edition) == ("penalty.2018", "行政处罚", "2026.1")
    assert found.authority == "11319900MX00000199"
    assert found.head == network().head()
    assert [(each.node, each.size, each.applied) for each in found.confirmations] == [
        (OTHER, 6, True),
        (NATIONAL, 6, True),
    ]
    assert found.published_at_ms < found.confirmations[0].observed_at_ms < found.as_of_ms == found.heartbeat_at_ms
    assert found.as_of_ms < found.valid_until_ms
    values = {value.code: value for value in found.values}
    assert values["CF_CFJGDM"].text == found.authority
    assert values["CF_WSH"].title_zh == "行政处罚决定书文号"
    assert values["CF_WSH"].title_en == "Number of the penalty decision"
    held = network().nodes[NATIONAL].world.store.records(subject=found.subject)
    assert found.record in [each.record for each in held]


def test_the_explanation_shows_each_fact() -> None:
    found = verify(sound(), network().fingerprint)
    text = explain(found)
    assert text.splitlines()[0] == "VERIFIED: 310000 (示例310000) published this record."
    for fact in (
        *(f"{value.title_zh} ({value.title_en}): {value.text}" for value in found.values),
        f"for the authority {found.authority}",
        "310000/penalties, epoch 0, entry 3, record 1",
        "by 320500 (示例320500), which has applied this one",
        "by national (示例national), which has applied this one",
        network().fingerprint.hex(),
        network().state.network,
        "As of       2026-09-21",
        "valid until 2026-09-24 14:13:20 UTC",
    ):
        assert fact in text, fact


def test_a_value_cannot_forge_a_line_of_the_explanation() -> None:
    found = verify(sound(), network().fingerprint)
    first = found.values[0]
    forged = type(first)(first.code, first.title_zh, first.title_en, "x\nConfirmed   by a court\u202e\x1b[2J")
    lines = explain(type(found)(**{name: getattr(found, name) for name in found.__slots__} | {"values": (forged,)}))
    assert "\nConfirmed   by a court" not in lines
    assert "x\\nConfirmed   by a court\\u202e\\x1b[2J" in lines


def test_verifying_imports_the_core_and_nothing_of_the_node() -> None:
    program = (
        "import sys; from node.evidence.verify import verify;"
        "found = verify(sys.stdin.buffer.read(), bytes.fromhex(sys.argv[1]));"
        "print(found.origin); print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, network().fingerprint.hex()],
        input=sound(),
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    origin, loaded = done.stdout.decode().splitlines()
    assert origin == ORIGIN
    ours = {name for name in loaded.split() if name.split(".")[0] in ("node", "registry", "certs", "tests")}
    permitted = ("node.core", "node.pb", "node.evidence")
    assert {name for name in ours if not name.startswith(permitted)} == {"node"}
    assert "node.evidence.bundle" not in ours
    assert not any("_grpc" in name for name in ours)
    foreign = {name.split(".")[0] for name in loaded.split()} | {name for name in loaded.split() if "tuf." in name}
    assert not foreign & {"grpc", "sqlmodel", "sqlalchemy", "tuf.ngclient", "urllib3", "requests", "asyncio"}


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def check_flips(suite: str, places: Iterable[int], seed: int) -> set[int]:
    """Flip one random bit of each of these bytes; return the steps that refused."""
    random, content, fingerprint = Random(seed), sound_of(suite), network_of(suite).fingerprint
    verify(content, fingerprint)
    return {refusal(flipped(content, at, random.randrange(8)), fingerprint)[0] for at in places}


# --- One flipped bit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_one_flipped_bit_fails_wherever_it_is(suite: str) -> None:
    size, files_begin = len(sound_of(suite)), sound_of(suite).index(b".json")
    random = Random(4)
    places = random.sample(range(files_begin), 200) + random.sample(range(files_begin, size), 100)
    assert check_flips(suite, places, 5) >= {1, 3, 5, 6, 7, 8, 9}


def test_one_flipped_bit_fails_in_every_signature_root_and_timestamp() -> None:
    """What no hash binds: every bit of every byte that is neither signed nor hashed elsewhere."""
    content, fingerprint = sound(), network().fingerprint
    steps = set()
    for name in ("1.root.json", "timestamp.json"):
        file = next(file.content for file in sound_bundle().registry_files if file.name == name)
        begin = content.index(file)
        for at in range(begin, begin + file.index(b'"signed"')):
            steps |= {refusal(flipped(content, at, bit), fingerprint)[0] for bit in range(0, 8, 3)}
    assert steps <= {2, 3}


@pytest.mark.long
@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_one_flipped_bit_fails_in_every_byte(suite: str) -> None:
    assert check_flips(suite, range(len(sound_of(suite))), 7) >= {1, 2, 3, 5, 6, 7, 8, 9, 10}


@pytest.mark.parametrize("cut_short", [0, 1, 5, 100, 5000])
def test_a_bundle_cut_short_fails(cut_short: int) -> None:
    assert refusal(sound()[:cut_short])[0] == 1
    assert refusal(sound()[: len(sound()) - 1 - cut_short])[0] in (1, 2, 3)


def test_random_damage_is_refused_and_never_crashes() -> None:
    random = Random(11)
    for _ in range(300):
        content = bytearray(sound())
        at = random.randrange(len(content))
        content[at : at + random.randrange(40)] = random.randbytes(random.randrange(40))
        if bytes(content) != sound():
            refusal(bytes(content))


# --- (1) The form of the bundle -----------------------------------------------------------------------------


def test_an_unknown_field_is_refused() -> None:
    assert refusal(sound() + b"\xa2\x06\x03abc") == (1, "it is not in canonical form")


def test_fields_in_another_order_are_refused() -> None:
    record = Bundle(record=sound_bundle().record).SerializeToString()
    rest = sound_bundle()
    rest.ClearField("record")
    assert Bundle.FromString(rest.SerializeToString() + record) == sound_bundle()
    assert refusal(rest.SerializeToString() + record) == (1, "it is not in canonical form")


def test_a_field_given_twice_is_refused() -> None:
    assert refusal(sound() + Bundle(network=sound_bundle().network).SerializeToString())[0] == 1


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_evidence_bytes=30_000),
        Limits(max_evidence_files=8),
        Limits(max_evidence_receipts=1),
        Limits(max_registry_file_bytes=20_000),
        Limits(max_header_bytes=60),
    ],
)
def test_a_bundle_beyond_the_limits_is_refused(limits: Limits) -> None:
    assert refusal(sound(), limits=limits)[0] == 1


@pytest.mark.parametrize("count", [0, 2])
def test_an_envelope_bears_exactly_one_signature(count: int) -> None:
    for path in (
        lambda bundle: bundle.entry,
        lambda bundle: bundle.heartbeat.heartbeat,
        lambda bundle: bundle.receipts[1].receipt,
    ):

        def change(bundle: Bundle, path: Callable[[Bundle], object] = path) -> None:
            signatures = path(bundle).signatures  # type: ignore[attr-defined]
            signatures.extend(list(signatures)) if count else signatures.pop()

        assert step_of(change) == 1


def test_files_and_receipts_stand_in_ascending_order_each_once() -> None:
    assert step_of(lambda bundle: bundle.registry_files.reverse()) == 1
    assert step_of(lambda bundle: bundle.registry_files.append(bundle.registry_files[-1])) == 1
    assert step_of(lambda bundle: bundle.receipts.reverse()) == 1
    assert step_of(lambda bundle: bundle.receipts.append(bundle.receipts[-1])) == 1
