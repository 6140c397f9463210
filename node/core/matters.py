"""The matters in which subjects may be checked: who may ask, and what the answer is about (R-QRY-2).

An edition is one JSON file, the signed registry target `matters/<version>.json`. The parser is strict, as that of the
catalogue is.

    edition  {format, version, in_force_from, matters}
    matter   {code, title_zh, title_en, units} and, at least one of them, items, measures, lists

units are the public bodies that handle the matter, by unified social credit code; nobody else asks in it. items are
items of the catalogue whose records are looked at, measures codes of node.core.measures that can apply in it, lists
channels of lists that are looked at whatever their measures are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.core.channel import is_channel_name
from node.core.editions import EditionError, Reader, read_json, refuse_repeated
from node.core.errors import XinqiaoError
from node.core.identifiers import is_uscc
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_type import FOLDER
from node.core.measures import is_measure_code

FORMAT = 1

_CODE = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")
_ITEM = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
_MAX_CODE_CHARS = 64


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter; units, items, measures and lists in the order of the edition."""

    code: str
    title_zh: str
    title_en: str
    units: tuple[str, ...]
    items: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    def is_handled_by(self, unit: str) -> bool:
        """Whether a public body may ask in this matter."""
        return unit in self.units

    def consults(self, channel: str, measures: Iterable[str]) -> bool:
        """Whether a list is looked at: one that is named, or whose measures can apply here."""
        return channel in self.lists or not set(self.measures).isdisjoint(measures)


@dataclass(frozen=True, eq=False)
class MattersEdition:
    """One edition of the matters, in force from a date until a later edition."""

    version: str
    in_force_from: str
    matters: Mapping[str, Matter]


def is_matter_code(text: str) -> bool:
    """Tell whether a text can be the code of a matter."""
    return len(text) <= _MAX_CODE_CHARS and _CODE.fullmatch(text) is not None


# --- Reading an edition -------------------------------------------------------------------------------------


def parse_matters(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> MattersEdition:
    """Return the edition in a registry target's bytes; raises XinqiaoError REGISTRY_INVALID."""
    try:
        return _edition(read_json(payload, limits), limits)
    except EditionError as why:
        raise XinqiaoError("REGISTRY_INVALID", source="the registry", detail=f"the matters: {why}") from None


def _edition(reader: Reader, limits: Limits) -> MattersEdition:
    if reader.whole("format", 1 << 31) != FORMAT:
        raise EditionError(f"its format is not {FORMAT}, which this version reads")
    version = reader.text("version")
    in_force_from = reader.date("in_force_from")
    found = [_matter(entry, limits) for entry in reader.objects("matters", most=limits.max_matters)]
    reader.end()
    refuse_repeated("matters", "code", [matter.code for matter in found])
    return MattersEdition(version, in_force_from, {matter.code: matter for matter in found})


def _matter(reader: Reader, limits: Limits) -> Matter:
    code = reader.text("code")
    if not is_matter_code(code):
        raise EditionError(f"{reader.where}.code: {code[:64]!r} is no code of a matter, such as bidding.tender")
    reader.where = code
    matter = Matter(
        code=code,
        title_zh=reader.line("title_zh", limits.max_title_chars),
        title_en=reader.line("title_en", limits.max_title_chars),
        units=reader.texts("units", most=limits.max_matter_units),
        items=reader.texts("items", [], limits.max_matter_codes),
        measures=reader.texts("measures", [], limits.max_matter_codes),
        lists=reader.texts("lists", [], limits.max_matter_codes),
    )
    reader.end()
    _check(matter)
    return matter


def _check(matter: Matter) -> None:
    """Refuse a matter that nobody may ask in, that asks nothing, or that names what cannot be."""
    if not matter.units:
        raise EditionError(f"{matter.code} has no units: nobody could ask in it")
    if not (matter.items or matter.measures or matter.lists):
        raise EditionError(f"{matter.code} has neither items nor measures nor lists: nothing could be asked in it")
    faults = {
        "unified social credit code": [each for each in matter.units if not is_uscc(each)],
        "item of the catalogue": [each for each in matter.items if not _is_item(each)],
        "code of a measure": [each for each in matter.measures if not is_measure_code(each)],
        "channel of a list": [each for each in matter.lists if not _is_list(each)],
    }
    for what, wrong in faults.items():
        if wrong:
            raise EditionError(f"{matter.code}: {wrong[0][:64]!r} is no {what}")


def _is_item(text: str) -> bool:
    return len(text) <= _MAX_CODE_CHARS and _ITEM.fullmatch(text) is not None


def _is_list(text: str) -> bool:
    return is_channel_name(text) and text.partition("/")[2].startswith(FOLDER)
