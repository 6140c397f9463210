"""Every code has Chinese words for what failed, who must act and what comes next, and they say the same."""

import re

import pytest

from node.core.errors import CODES, XinqiaoError
from node.texts import chinese, law, speaking, told, told_together
from node.texts.matching import names_in
from tests.texts.sources import HAN

WHERE = "add it to node/texts/zh/*.toml"


def test_g11_every_code_has_chinese_words() -> None:
    missing = [f"[errors.{code}] text, next: {WHERE}" for code in sorted(CODES.keys() - chinese().errors.keys())]
    assert missing == []


def test_g11_who_must_act_has_chinese_words() -> None:
    missing = [
        f"[who] {who!r}: {WHERE}" for who in sorted({spec.who for spec in CODES.values()} - chinese().who.keys())
    ]
    assert missing == []


def test_no_chinese_error_is_left_of_a_code_that_is_gone() -> None:
    assert sorted(chinese().errors.keys() - CODES.keys()) == []
    assert sorted(chinese().who.keys() - {spec.who for spec in CODES.values()}) == []


@pytest.mark.parametrize("code", sorted(CODES.keys() & chinese().errors.keys()))
def test_g11_both_languages_name_the_same_parameters(code: str) -> None:
    english, row = CODES[code], chinese().errors[code]
    assert names_in([row.text]) == names_in([english.text]), code
    assert names_in([row.next]) == names_in([english.next]), code
    # A text may be nothing but its values, and a next step nothing but a command.
    assert re.search(HAN, row.text) or not re.search("[a-z]", re.sub(r"\{[^}]*\}", "", english.text)), code
    assert re.search(HAN, row.next) or row.next == english.next, code


@pytest.mark.parametrize(("english", "other"), sorted(chinese().who.items()))
def test_who_must_act_names_the_same_node_in_both_languages(english: str, other: str) -> None:
    assert names_in([other]) == names_in([english])


@pytest.mark.parametrize("code", sorted(CODES))
def test_g11_a_chinese_error_reads_without_gaps(code: str) -> None:
    spec = CODES[code]
    error = XinqiaoError(code, **dict.fromkeys(names_in([spec.text, spec.who, spec.next]), "X"))
    with speaking("zh"):
        shown = told(error)
    for text in (shown.text, shown.who, shown.next):
        assert "<" not in text
        assert "{" not in text


def test_an_error_is_told_in_the_language_of_the_reader_and_kept_in_english() -> None:
    error = XinqiaoError("MEMBER_SUSPENDED", node="310115", reason="示例")
    with speaking("zh"):
        shown = told(error)
        assert str(error) == "MEMBER_SUSPENDED: 310115 is suspended: 示例"
    assert shown.text == "310115 已被暂停成员资格：示例"
    assert shown.who == "节点 310115 的管理员"
    with speaking("en"):
        assert told(error).text == "310115 is suspended: 示例"
        assert told(error).who == "310115"


def test_what_an_edition_says_in_both_languages_is_told_in_that_of_the_reader() -> None:
    given = {"channel": "310000/a", "node": "310000", "day": "2026-12-01", "rule": "R", "article": "示例"}
    error = XinqiaoError("TERM_ENDS", what="publish again", what_zh="再次报送", **given)
    with speaking("zh"):
        assert told(error).text == "通道 310000/a：310000 应于 2026-12-01 前再次报送（R；示例）"
    with speaking("en"):
        assert told(error).text == "310000/a: 310000 is to publish again by 2026-12-01 (R; 示例)"


def test_a_missing_parameter_and_an_unknown_code_stay_readable_in_chinese() -> None:
    with speaking("zh"):
        assert told(XinqiaoError("CHANNEL_UNKNOWN")).text == "本节点没有通道 <channel>"
        assert told(XinqiaoError("LATER_CODE")).text == "本版本软件不认识此代码"
        assert told(XinqiaoError("LATER_CODE")).who == "您"


def test_what_a_peer_puts_into_a_value_is_shown_and_never_followed() -> None:
    with speaking("zh"):
        for value in ("{0.__class__}", "{reason}", "<b>"):
            assert value in told(XinqiaoError("MEMBER_SUSPENDED", node=value, reason="x")).text


def test_an_error_inside_an_error_is_told_in_the_same_language() -> None:
    inner = XinqiaoError("WIRE_UNREACHABLE", peer="310000", address="10.0.0.1:7410", detail="x")
    outer = XinqiaoError("REGISTRY_UNREACHABLE", detail=inner.text)
    with speaking("zh"):
        assert told(outer).text == "登记中心没有应答（310000（10.0.0.1:7410）没有应答：x）"


def test_all_that_is_wrong_with_a_row_is_told_in_one_text_and_no_step_twice() -> None:
    short = {"title": "许可机关", "max_chars": 20}
    because = " (R-INC-2; 上海市社会信用条例 art. 11; 个人信息保护法 art. 25)"
    missing = {"title": "处罚机关", "field": "CF_CFJG", "because": because}
    errors = [XinqiaoError("FIELD_TOO_LONG", **short)] * 2 + [XinqiaoError("FIELD_MISSING", **missing)]
    with speaking("zh"):
        why, remedy = told_together(errors)
    cited = "R-INC-2；上海市社会信用条例第11条；个人信息保护法第25条"
    assert why == f"许可机关：超过 20 个字符；许可机关：超过 20 个字符；处罚机关：未填写（{cited}）"
    assert remedy == "请精简文本；请填写 CF_CFJG"
    with speaking("en"):
        assert told_together(errors)[1] == "shorten the text; fill in CF_CFJG"


def test_a_law_is_cited_as_its_readers_cite_it() -> None:
    cited = "上海市社会信用体系建设2016年工作要点 part 4"
    assert law(cited) == cited
    with speaking("zh"):
        assert law(cited) == "上海市社会信用体系建设2016年工作要点第4部分"
        both = law("上海市社会信用条例 art. 9(4); 山东省社会信用条例 art. 13")
        assert both == "上海市社会信用条例第9条(4)；山东省社会信用条例第13条"
