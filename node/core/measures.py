"""The measures that may be attached to a listing: nothing else may be done to anybody because of a list (R-MSR-1).

An edition is one JSON file, the signed registry target `measures/<version>.json`. The parser is strict, as that of the
catalogue is.

    edition  {format, version, in_force_from, measures}
    measure  {code, title_zh, title_en, kind, basis, article} and, where it applies, requires

A code names law, article and item, e.g. SHR-31-1; basis and article say the same for people. requires is what a
measure of this kind must rest on beside the list (R-MSR-3). A measure binds the listed subject and nobody else
(R-MSR-4): there is no key under which anybody else could be named.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from node.core.editions import EditionError, Reader, read_json, refuse_repeated
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits

FORMAT = 1
REQUIRED = frozenset({"law", "law or rules"})
"""What `requires` may be: a law or an administrative regulation (法律、行政法规), or rules (规章) as well."""

_CODE = re.compile(r"[A-Z][A-Z0-9]{0,15}(?:-[1-9][0-9]{0,3}){1,3}")


class MeasureKind(StrEnum):
    """What a measure does to whom it binds."""

    INCENTIVE = "incentive"
    DISCIPLINE = "discipline"
    SERIOUS = "serious"


KIND_NAMES: Mapping[MeasureKind, str] = {
    MeasureKind.INCENTIVE: "incentive",
    MeasureKind.DISCIPLINE: "ordinary discipline",
    MeasureKind.SERIOUS: "serious discipline",
}
"""The kinds as people read them."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure, with where it stands; requires is empty where the article asks for nothing more."""

    code: str
    title_zh: str
    title_en: str
    kind: MeasureKind
    basis: str
    article: str
    requires: str = ""

    @property
    def cited(self) -> str:
        """Law and article."""
        return f"{self.basis} {self.article}"


@dataclass(frozen=True, eq=False)
class MeasuresEdition:
    """One edition of the measures, in force from a date until a later edition."""

    version: str
    in_force_from: str
    measures: Mapping[str, Measure]

    def published(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Those of the codes that the edition has, in the order given."""
        return tuple(code for code in codes if code in self.measures)

    def unpublished(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Those of the codes that the edition lacks, in the order given: nobody may carry them out (R-MSR-1)."""
        return tuple(code for code in codes if code not in self.measures)


def is_measure_code(text: str) -> bool:
    """Tell whether a text can be the code of a measure."""
    return _CODE.fullmatch(text) is not None


# --- Reading an edition -------------------------------------------------------------------------------------


def parse_measures(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> MeasuresEdition:
    """Return the edition in a registry target's bytes; raises XinqiaoError REGISTRY_INVALID."""
    try:
        return _edition(read_json(payload, limits), limits)
    except EditionError as why:
        raise XinqiaoError("REGISTRY_INVALID", source="the registry", detail=f"the measures: {why}") from None


def _edition(reader: Reader, limits: Limits) -> MeasuresEdition:
    if reader.whole("format", 1 << 31) != FORMAT:
        raise EditionError(f"its format is not {FORMAT}, which this version reads")
    version = reader.text("version")
    in_force_from = reader.date("in_force_from")
    found = [_measure(entry, limits) for entry in reader.objects("measures", most=limits.max_measures)]
    reader.end()
    if not found:
        raise EditionError("it has no measures")
    refuse_repeated("measures", "code", [measure.code for measure in found])
    return MeasuresEdition(version, in_force_from, {measure.code: measure for measure in found})


def _measure(reader: Reader, limits: Limits) -> Measure:
    code = reader.text("code")
    if not is_measure_code(code):
        raise EditionError(f"{reader.where}.code: {code[:64]!r} is no code of a measure, such as SHR-31-1")
    reader.where = code
    measure = Measure(
        code=code,
        title_zh=reader.line("title_zh", limits.max_title_chars),
        title_en=reader.line("title_en", limits.max_title_chars),
        kind=MeasureKind(reader.one_of("kind", frozenset(MeasureKind))),
        basis=reader.line("basis", limits.max_title_chars),
        article=reader.line("article", limits.max_title_chars),
        requires=reader.one_of("requires", REQUIRED, ""),
    )
    reader.end()
    return measure
