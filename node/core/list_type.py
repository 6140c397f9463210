"""List types: what a joint list is, as an authority defines it and as a receiver judges it.

    code              the channel is "<origin id>/lists/<code>"
    title_zh, title_en
    kind              serious, red or watch
    authority         who determines; the origin must speak for it
    legal_basis       the law, regulation or central policy that allows the list: without one there is none (R-LST-1)
    entry_conditions, exit_conditions, remedy      published with the list (R-LST-3)
    measures          the only ones that may be attached, each published (R-MSR-1); a watch list has none
    term_months       how long a listing may last at most

A definition file holds these and, besides, disclosure (A, B or C), audience (an expression) and staleness_limit_s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from node.core.catalogue import Basis
from node.core.errors import XinqiaoError
from node.core.identifiers import uscc_fault
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import channel_pb2, listing_pb2

FOLDER = "lists/"
SERIOUS: int = listing_pb2.LIST_KIND_SERIOUS
RED: int = listing_pb2.LIST_KIND_RED
WATCH: int = listing_pb2.LIST_KIND_WATCH
KINDS: Mapping[str, int] = {"serious": SERIOUS, "red": RED, "watch": WATCH}
KIND_NAMES: Mapping[int, str] = {number: name for name, number in KINDS.items()}

BASIS = Basis("R-LST-1", "国办发〔2020〕49号")
DECISION = Basis("R-LST-2", "浙江省公共信用信息管理条例 art. 24; 浙江省公共信用信息管理条例 art. 28")
CONDITIONS = Basis("R-LST-3", "上海市社会信用条例 art. 25")
CONFLICT = Basis("R-LST-8", "发改财金规〔2017〕1798号")
PUBLISHED = Basis("R-MSR-1", "上海市社会信用条例 art. 32; 浙江省公共信用信息管理条例 art. 28")
RELATED = Basis("R-MSR-2", "上海市社会信用条例 art. 30; 浙江省公共信用信息管理条例 art. 23")
PERSONS = Basis("R-DIS-3", "浙江省公共信用信息管理条例 art. 15; 个人信息保护法 art. 25")
MINORS = Basis("R-INC-1", "上海市社会信用条例 art. 2; 浙江省公共信用信息管理条例 art. 2")

_DISCLOSURES: Mapping[str, int] = {
    "A": channel_pb2.DISCLOSURE_CLASS_A,
    "B": channel_pb2.DISCLOSURE_CLASS_B,
    "C": channel_pb2.DISCLOSURE_CLASS_C,
}
_TEXTS = ("code", "title_zh", "title_en", "kind", "authority", "entry_conditions", "exit_conditions", "remedy")
_KEYS = frozenset({*_TEXTS, "legal_basis", "measures", "term_months", "disclosure", "audience", "staleness_limit_s"})


def barred(code: str, basis: Basis, **parameters: object) -> XinqiaoError:
    """An error that cites rule and article."""
    return XinqiaoError(code, rule=basis.rule, article=basis.article, **parameters)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition file says: the list, and who may read it; audience is an expression."""

    list: listing_pb2.ListType
    disclosure: int
    audience: str
    staleness_limit_s: int


# --- As a receiver judges it --------------------------------------------------------------------------------


def list_defect(list_type: listing_pb2.ListType, limits: Limits = DEFAULT_LIMITS) -> XinqiaoError | None:
    """What is wrong with a list type, the same at its origin and at every receiver; None where nothing is."""
    return next(_defects(list_type, limits), None)


def _defects(list_type: listing_pb2.ListType, limits: Limits) -> Iterator[XinqiaoError]:
    """Yield what is wrong with a list type, what the law demands first."""
    code = list_type.code[:64]
    basis = list_type.legal_basis
    if not basis or not all(each.title.strip() and each.article.strip() for each in basis):
        yield barred("LIST_BASIS", BASIS, list=code)
    for key in ("entry_conditions", "exit_conditions", "remedy"):
        if not getattr(list_type, key).strip():
            yield barred("LIST_CONDITIONS", CONDITIONS, list=code, key=key)
    for key, detail in _faults(list_type, limits):
        if detail:
            yield _field(key, detail)


def _faults(list_type: listing_pb2.ListType, limits: Limits) -> Iterator[tuple[str, str]]:
    """Yield each key with what is wrong with it, empty where nothing is."""
    long, short = limits.max_list_text_chars, limits.max_title_chars
    for key, most in (("title_zh", short), ("title_en", short)):
        yield key, _text_fault(getattr(list_type, key), most)
    yield "code", _text_fault(list_type.code, limits.max_channel_name_chars)
    yield "kind", "" if list_type.kind in KIND_NAMES else f"it must be one of {', '.join(KINDS)}"
    yield "authority", "" if uscc_fault(list_type.authority) is None else "it is no unified social credit code"
    yield "legal_basis", _count_fault(len(list_type.legal_basis), limits.max_legal_bases)
    for each in list_type.legal_basis:
        yield "legal_basis", _text_fault(each.title, short) or _text_fault(each.article, short)
    for key in ("entry_conditions", "exit_conditions", "remedy"):
        yield key, _text_fault(getattr(list_type, key), long)
    yield "measures", _measures_fault(list_type, limits)
    most = limits.max_list_term_months
    yield "term_months", "" if 1 <= list_type.term_months <= most else f"it must be from 1 to {most}"


def _text_fault(text: str, most: int) -> str:
    if not text.strip():
        return "it is missing"
    return f"it has more than {most} characters" if len(text) > most else ""


def _count_fault(count: int, most: int) -> str:
    return f"there are more than {most}" if count > most else ""


def _measures_fault(list_type: listing_pb2.ListType, limits: Limits) -> str:
    measures = list_type.measures
    if list_type.kind == WATCH and measures:
        return "a watch list has none"
    if any(not is_measure_code(each, limits) for each in measures):
        return "one of them is no code of a measure"
    if any(one >= other for one, other in pairwise(measures)):
        return "they must be different and in ascending order"
    return _count_fault(len(measures), limits.max_list_measures)


def is_measure_code(code: str, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether a text can be the code of a measure."""
    return 0 < len(code) <= limits.max_measure_code_chars and code.isprintable() and not set(code) & {",", ";", " "}


def manifest_fault(channel: str, manifest: channel_pb2.Manifest, limits: Limits = DEFAULT_LIMITS) -> str:
    """Why a manifest makes no sense by what it says of a list, or does not say; empty where it does."""
    name = channel.partition("/")[2]
    is_list = manifest.HasField("list")
    if name.startswith(FOLDER) != is_list:
        return "channels under lists/ carry lists, and no others do"
    if not is_list:
        return ""
    if name != FOLDER + manifest.list.code:
        return "the list has another code than its channel"
    if manifest.item or manifest.priority != channel_pb2.PRIORITY_CONTROL:
        return "a list has no catalogue item, and travels before records"
    defect = list_defect(manifest.list, limits)
    return defect.text if defect is not None else ""


# --- As it is defined ---------------------------------------------------------------------------------------


def read_definition(content: object) -> Definition:
    """Read what stands in a definition file; raises LIST_FIELD, LIST_BASIS, LIST_CONDITIONS.

    content is the parsed file. What a receiver would refuse is refused with the same words.
    """
    if not isinstance(content, dict):
        raise _field("file", "it must hold keys and values")
    unknown = sorted(str(key)[:64] for key in content if key not in _KEYS)
    if unknown:
        raise _field(unknown[0], f"there is no such key; there are {', '.join(sorted(_KEYS))}")
    list_type = listing_pb2.ListType(
        **{key: _text(content, key) for key in _TEXTS if key != "kind"},
        kind=listing_pb2.ListKind.Name(KINDS.get(_text(content, "kind"), 0)),
        legal_basis=_legal_basis(content),
        measures=sorted(_texts(content, "measures")),
        term_months=_whole(content, "term_months"),
    )
    defect = list_defect(list_type)
    if defect is not None:
        raise defect
    disclosure = _DISCLOSURES.get(_text(content, "disclosure"))
    if disclosure is None:
        raise _field("disclosure", f"it must be one of {', '.join(_DISCLOSURES)}")
    return Definition(list_type, disclosure, _text(content, "audience"), _whole(content, "staleness_limit_s"))


def _text(content: dict[Any, Any], key: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str):
        raise _field(key, "it must be a text; put it in quotes")
    return value.strip()


def _texts(content: dict[Any, Any], key: str) -> list[str]:
    values = content.get(key) or []
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise _field(key, "it must be a list of texts")
    return [each.strip() for each in values]


def _whole(content: dict[Any, Any], key: str) -> int:
    value = content.get(key, 0)
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise _field(key, "it must be a whole number")
    return value


def _legal_basis(content: dict[Any, Any]) -> list[listing_pb2.LegalBasis]:
    values = content.get("legal_basis") or []
    are_pairs = isinstance(values, list) and all(
        isinstance(each, dict) and each.keys() == {"title", "article"} for each in values
    )
    if not are_pairs:
        raise _field("legal_basis", "it must be a list of pairs of title and article")
    return [listing_pb2.LegalBasis(title=_text(each, "title"), article=_text(each, "article")) for each in values]


def _field(key: str, detail: str) -> XinqiaoError:
    return XinqiaoError("LIST_FIELD", key=key, detail=detail)
