"""A bundle against the registry: files, dates, the origin's standing and its cuts; the failing step is named."""

import json
from collections.abc import Callable
from functools import cache

import pytest

from node.core.errors import XinqiaoError
from node.evidence.bundle import serialize
from node.evidence.explanation import explain
from node.evidence.verify import verify
from node.pb import evidence_pb2
from tests.evidence.bundles import Bundle, Change, network, refusal, sound, sound_bundle, step_of
from tests.evidence.network import DAY_MS, ORIGIN, OTHER, WITNESS, Network

# --- (2) and (3) The registry -------------------------------------------------------------------------------


def test_another_fingerprint_is_refused() -> None:
    step, detail = refusal(sound(), bytes(32))
    assert (step, detail) == (
        2,
        f"the first root has the fingerprint {network().fingerprint.hex()}, you gave {'00' * 32}",
    )
    assert refusal(sound(), Network((ORIGIN, WITNESS)).fingerprint)[0] == 2
    assert refusal(sound(), b"")[0] == 2


def changed_file(name: str, change: Callable[[bytes], bytes]) -> tuple[int, str]:
    """The refusal after one registry file was changed."""
    bundle = sound_bundle()
    for file in bundle.registry_files:
        if file.name == name:
            file.content = change(file.content)
    assert serialize(bundle) != sound()
    return refusal(serialize(bundle))


def indented(content: bytes) -> bytes:
    return json.dumps(json.loads(content), indent=1, sort_keys=True).encode()


def with_signature(signature: dict[str, object]) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        document = json.loads(content)
        document["signatures"].append(signature)
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    return change


def in_capitals(content: bytes) -> bytes:
    document = json.loads(content)
    document["signatures"][0]["sig"] = document["signatures"][0]["sig"].upper()
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def with_a_remark(content: bytes) -> bytes:
    return json.dumps(json.loads(content) | {"x": 1}, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize(("name", "step"), [("1.root.json", 2), ("timestamp.json", 3)])
@pytest.mark.parametrize(
    "change", [indented, in_capitals, with_a_remark, with_signature({"keyid": "0" * 64, "sig": "00"})]
)
def test_what_no_hash_binds_has_only_one_form(name: str, step: int, change: Callable[[bytes], bytes]) -> None:
    found, detail = changed_file(name, change)
    assert found == step
    assert "carries more than is signed" in detail


@pytest.mark.parametrize("name", ["2.snapshot.json", "2.targets.json", "1.region-31.json"])
def test_the_other_files_are_bound_by_their_hash(name: str) -> None:
    assert changed_file(name, indented)[0] == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"[" * 100_000, b'{"signed":1}', b"\xff"])
@pytest.mark.parametrize(("name", "step"), [("1.root.json", 2), ("timestamp.json", 3)])
def test_files_that_are_no_metadata_are_refused(name: str, step: int, content: bytes) -> None:
    assert changed_file(name, lambda _: content)[0] == step


def test_every_file_is_needed_and_no_other_is_carried() -> None:
    for number, file in enumerate(sound_bundle().registry_files):
        bundle = sound_bundle()
        del bundle.registry_files[number]
        step, detail = refusal(serialize(bundle))
        assert step == (2 if file.name == "1.root.json" else 3)
        assert file.name[:100] in detail
    published = network().officers.served
    for name in sorted(published.keys() - {file.name for file in sound_bundle().registry_files}):
        bundle = sound_bundle()
        bundle.registry_files.add(name=name, content=published[name])
        bundle.registry_files.sort(key=lambda file: file.name)
        assert refusal(serialize(bundle)) == (3, f"{name}: nothing here needs it")


def test_files_that_had_expired_by_the_date_are_refused() -> None:
    def later(days: int) -> Change:
        return lambda bundle: setattr(bundle, "as_of_unix_ms", bundle.as_of_unix_ms + days * DAY_MS)

    for days, role in ((4, "timestamp"), (8, "timestamp"), (400, "root")):
        bundle = sound_bundle()
        later(days)(bundle)
        step, detail = refusal(serialize(bundle))
        assert step == 3
        assert f"{role} had expired" in detail


def test_a_region_that_had_expired_is_refused_though_the_timestamp_is_new() -> None:
    made = Network()
    made.clock.at_ms += 100 * DAY_MS
    made.officers.renew(made.clock.at_ms)
    made.follow()
    made.append()
    made.carry(WITNESS, OTHER)
    made.beat()
    with pytest.raises(XinqiaoError, match=r"EVIDENCE_UNAVAILABLE: .*region-31 had expired"):
        made.bundle()


def test_a_bundle_of_another_network_with_the_same_nodes_is_refused() -> None:
    other = Network()
    other.publish()
    bundle = sound_bundle()
    del bundle.registry_files[:]
    bundle.registry_files.extend(other.bundle().registry_files)
    assert refusal(serialize(bundle))[0] == 2
    assert refusal(serialize(bundle), other.fingerprint)[0] == 3
    bundle.network = other.state.network
    assert refusal(serialize(bundle), other.fingerprint)[0] == 5


@cache
def suspended() -> Network:
    """Five entries, the origin suspended with its log cut at three."""
    made = Network()
    for _ in range(2):
        made.publish(2)
    cut = made.head()
    for _ in range(2):
        made.publish(2)
    made.clock.at_ms += 60_000
    made.suspend(ORIGIN, cut)
    return made


def suspended_step(change: Change) -> tuple[int, str]:
    bundle = suspended().bundle(index=2)
    verify(serialize(bundle), suspended().fingerprint)
    change(bundle)
    return refusal(serialize(bundle), suspended().fingerprint)


# --- (4) The origin -----------------------------------------------------------------------------------------


def test_a_suspended_origin_needs_a_cut_above_the_entry() -> None:
    closed = "310000 is suspended, epoch 0 of it closed"
    assert suspended_step(lambda bundle: bundle.ClearField("cut")) == (4, f"{closed}, and no cut is shown")


def test_a_cut_that_the_officers_do_not_list_is_refused() -> None:
    head = suspended().head()
    cut = evidence_pb2.CutEvidence(size=head.size, root=head.root)
    step, detail = suspended_step(lambda bundle: bundle.cut.CopyFrom(cut))
    assert (step, detail.endswith("the officers list no such cut")) == (4, True)


def test_an_entry_above_the_cut_is_refused() -> None:
    made = suspended()
    listed = made.bundle(index=2).cut
    bundle = made.bundle(index=2)
    bundle.record.index = 3
    bundle.cut.CopyFrom(listed)
    assert refusal(serialize(bundle), made.fingerprint) == (
        4,
        "310000 is suspended, epoch 0 of it closed, and entry 3 lies above its cut at 3",
    )


def test_a_cut_of_another_history_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        bundle.cut.consistency_proof[0] = bytes(32)

    assert suspended_step(change) == (4, "the cut is of another history than the heartbeat")


def test_below_a_cut_receipts_may_be_absent_and_above_none_they_may_not() -> None:
    bundle = suspended().bundle(index=2)
    without = {file.name for file in bundle.registry_files if "/00/" in file.name or "/32/" in file.name}
    kept = [
        file for file in bundle.registry_files if file.name not in without | {"1.region-00.json", "1.region-32.json"}
    ]
    del bundle.receipts[:], bundle.registry_files[:]
    bundle.registry_files.extend(kept)
    assert verify(serialize(bundle), suspended().fingerprint).confirmations == ()
    assert "officers, who cut this log" in explain(verify(serialize(bundle), suspended().fingerprint))


def test_an_open_log_has_no_cut_to_show() -> None:
    head = network().head()
    cut = evidence_pb2.CutEvidence(size=head.size, root=head.root)
    assert step_of(lambda bundle: bundle.cut.CopyFrom(cut)) == 4
    assert step_of(lambda bundle: bundle.cut.SetInParent()) == 4


def test_an_origin_that_is_not_listed_is_refused() -> None:
    bundle = sound_bundle()
    bundle.record.channel = bundle.heartbeat.heads[0].head.channel = "310115/penalties"
    kept = [file for file in bundle.registry_files if not file.name.endswith(f"{ORIGIN}.json")]
    del bundle.registry_files[:]
    bundle.registry_files.extend(kept)
    assert refusal(serialize(bundle)) == (4, "310115 is not listed")


def test_an_epoch_that_is_not_open_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        bundle.record.epoch = bundle.heartbeat.heads[0].head.epoch = 1

    assert step_of(change) == 4
