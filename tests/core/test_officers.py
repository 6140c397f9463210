"""Officers of a node: whose signatures an act needs, and that nothing else decides anything."""

import pytest

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.officers import ADD, OfficerBook, build_statement, check_name, check_time, read_statement
from node.keys.signer import SoftwareSigner
from node.pb import officer_pb2
from tests.builders import NETWORK, NOW_MS, make_node
from tests.officers import Signed, adding, disabling, make_keys, statement

NODE = make_node("310000")
OWN = [NODE.signer.public]
LI, WANG, ZHAO, CHEN = make_keys(4)
KEYS = {"李明": LI, "王芳": WANG, "zhao": ZHAO, "chen": CHEN}


def book_of(*names: str) -> OfficerBook:
    """A book of officers, the first two added by the node's own key."""
    book = OfficerBook(NETWORK, "310000")
    for at, name in enumerate(names):
        others = [NODE.signer] if at < 2 else [LI, WANG]
        book = taken(book, adding(name, KEYS[name], *others))
    return book


def taken(book: OfficerBook, signed: Signed) -> OfficerBook:
    return book.after(book.verified(*signed, OWN))


def refused(book: OfficerBook, signed: Signed) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        book.verified(*signed, OWN)
    return caught.value


def test_the_first_two_are_added_with_the_nodes_key_and_from_then_on_two_officers_add() -> None:
    book = book_of("李明", "王芳", "zhao")
    assert [(each.name, each.added_by) for each in book.active] == [
        ("李明", ()),
        ("王芳", ()),
        ("zhao", ("李明", "王芳")),
    ]
    for others in ([], [LI], [NODE.signer], [LI, NODE.signer]):
        error = refused(book, adding("chen", CHEN, *others))
        assert (error.code, error.parameters["detail"]) == (
            "OFFICER_SIGNATURE",
            "two officers of this node must sign it",
        )
    assert [each.name for each in taken(book, adding("chen", CHEN, LI, ZHAO)).active][-1] == "chen"


def test_nobody_is_added_without_his_own_key_or_while_founding_without_the_nodes() -> None:
    book = book_of("李明")
    envelope, content = adding("王芳", WANG, NODE.signer)
    del envelope.signatures[0]
    assert refused(book, (envelope, content)).parameters["detail"] == "the new officer's own key must sign it"
    assert "the node's own key" in refused(book, adding("王芳", WANG, LI)).parameters["detail"]
    assert refused(book, adding("node", NODE.signer)).parameters["detail"] == "the key is the node's own"


def test_a_name_and_a_key_belong_to_one_officer_for_ever() -> None:
    book = taken(book_of("李明", "王芳"), disabling("李明", LI, WANG))
    assert refused(book, adding("李明", CHEN, NODE.signer)).code == "OFFICER_EXISTS"
    assert refused(book, adding("chen", LI, NODE.signer)).code == "OFFICER_EXISTS"


def test_disabling_takes_effect_at_once_and_unsigns_nothing() -> None:
    before = book_of("李明", "王芳", "zhao")
    book = taken(before, disabling("王芳", WANG, LI))
    found = book.officers["王芳"]
    assert (found.is_active, found.disabled_by, found.disabled_because) == (False, ("李明",), "调离")
    assert refused(book, (statement("hold.release", "1", bytes(32), WANG), b"")).code == "OFFICER_DISABLED"
    assert refused(book, adding("chen", CHEN, LI, WANG)).code == "OFFICER_DISABLED"
    assert refused(book, disabling("王芳", WANG, LI)).code == "OFFICER_DISABLED"
    # zhao was added by the word of one who is disabled now, and stays.
    assert [each.name for each in book.active] == ["李明", "zhao"]


@pytest.mark.parametrize("by", [LI, WANG, NODE.signer])
def test_any_officer_himself_or_the_nodes_key_disables(by: SoftwareSigner) -> None:
    assert not taken(book_of("李明", "王芳"), disabling("王芳", WANG, by)).officers["王芳"].is_active


def test_a_stranger_disables_nobody_and_the_wrong_key_is_not_named() -> None:
    book = book_of("李明", "王芳")
    assert refused(book, disabling("王芳", WANG, CHEN)).code == "OFFICER_SIGNATURE"
    assert refused(book, disabling("王芳", LI, LI)).code == "OFFICER_STATEMENT"
    assert refused(book, disabling("chen", CHEN, LI)).code == "OFFICER_UNKNOWN"


def test_one_officer_who_disables_the_others_cannot_add_one_to_agree_with_him() -> None:
    book = taken(book_of("李明", "王芳"), disabling("王芳", WANG, LI))
    assert refused(book, adding("chen", CHEN, LI)).code == "OFFICER_SIGNATURE"
    assert [each.name for each in taken(book, adding("chen", CHEN, NODE.signer)).active] == ["李明", "chen"]


def test_any_other_act_is_signed_by_exactly_one_officer() -> None:
    book = book_of("李明", "王芳")
    found = book.verified(statement("hold.release", "1", bytes(32), LI), b"", OWN)
    assert (found.signed_by, found.message.subject) == (("李明",), "1")
    for keys in ([], [CHEN], [NODE.signer], [LI, WANG]):
        assert refused(book, (statement("hold.release", "1", bytes(32), *keys), b"")).code == "OFFICER_SIGNATURE"


def test_a_statement_for_another_node_or_network_with_other_bytes_or_content_is_refused() -> None:
    book = book_of("李明", "王芳")
    elsewhere = statement("hold.release", "1", bytes(32), LI, node="330100")
    assert "330100" in refused(book, (elsewhere, b"")).parameters["detail"]
    assert refused(book, (statement("hold.release", "1", bytes(32), LI), b"x")).code == "OFFICER_STATEMENT"
    assert (
        refused(book, (statement("hold.release", "1", bytes(32), LI, reason="长" * 501), b"")).code
        == "OFFICER_STATEMENT"
    )
    envelope, content = adding("chen", CHEN, LI, WANG)
    assert refused(book, (envelope, content + b"\x22\x00")).code == "OFFICER_STATEMENT"
    payload = officer_pb2.OfficerStatement(network=NETWORK, node="310000", act=ADD).SerializeToString()
    for other in (payload + b"\x42\x00", b"\xff", bytes(DEFAULT_LIMITS.max_statement_bytes + 1)):
        sealed = envelopes.seal(other, envelopes.OFFICER_STATEMENT, LI)
        assert refused(book, (sealed, b"")).code == "OFFICER_STATEMENT"
    changed = statement("hold.release", "1", bytes(32), LI)
    changed.payload = build_statement(book, "hold.release", "2", bytes(32), "", NOW_MS)
    assert refused(book, (changed, b"")).code == "OFFICER_SIGNATURE"
    other_type = envelopes.seal(changed.payload, envelopes.RECEIPT, LI)
    assert refused(book, (other_type, b"")).code == "ENVELOPE_TYPE"


def test_the_book_is_read_again_from_the_statements_and_a_changed_one_shows() -> None:
    signed = [adding("李明", LI, NODE.signer), adding("王芳", WANG, NODE.signer), disabling("李明", LI, WANG)]
    blank = OfficerBook(NETWORK, "310000")
    assert [each.name for each in blank.replayed(signed, OWN).active] == ["王芳"]
    with pytest.raises(XinqiaoError, match="OFFICER_SIGNATURE"):
        blank.replayed([signed[0], adding("王芳", WANG)], OWN)


@pytest.mark.parametrize("name", ["", "-x", ".x", "a/b", "a b", "..", "x" * 33, "ａ", "李 明"])
def test_what_can_be_no_part_of_a_file_name_is_no_name(name: str) -> None:
    with pytest.raises(XinqiaoError, match="OFFICER_NAME"):
        check_name(name)


def test_a_statement_is_of_these_days() -> None:
    message = read_statement(statement("hold.release", "1", bytes(32), LI))
    for age_ms in (0, DEFAULT_LIMITS.max_statement_age_ms, -DEFAULT_LIMITS.max_clock_skew_ms):
        check_time(message, NOW_MS + age_ms)
    for age_ms in (DEFAULT_LIMITS.max_statement_age_ms + 1, -DEFAULT_LIMITS.max_clock_skew_ms - 1):
        with pytest.raises(XinqiaoError, match="OFFICER_STATEMENT"):
            check_time(message, NOW_MS + age_ms)
