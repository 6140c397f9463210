"""Editions of the measures and the matters as they travel to who reads them here."""

from collections.abc import Mapping
from typing import TypeVar

from node.core.editions import Dated
from node.core.errors import XinqiaoError
from node.core.matters import Matter
from node.core.measures import Measure
from node.membership import Membership
from node.pb import admin_service_pb2 as pb

D = TypeVar("D", bound=Dated)


def measures_message(membership: Membership, version: str, now_ms: int) -> pb.ListMeasuresResponse:
    """The measures of an edition, that in force unless another one is named; raises MEASURES_UNKNOWN."""
    in_force = membership.measures_in_force(now_ms)
    edition = _chosen(membership.measures, in_force, version, "MEASURES_UNKNOWN")
    found = pb.ListMeasuresResponse(known_versions=sorted(membership.measures))
    found.version_in_force = in_force.version if in_force is not None else ""
    if edition is not None:
        found.version, found.in_force_from = edition.version, edition.in_force_from
        found.measures.extend(map(_measure, edition.measures.values()))
    return found


def matters_message(membership: Membership, version: str, now_ms: int) -> pb.ListMattersResponse:
    """The matters of an edition, that in force unless another one is named; raises MATTERS_UNKNOWN."""
    in_force = membership.matters_in_force(now_ms)
    edition = _chosen(membership.matters, in_force, version, "MATTERS_UNKNOWN")
    found = pb.ListMattersResponse(known_versions=sorted(membership.matters))
    found.version_in_force = in_force.version if in_force is not None else ""
    if edition is not None:
        found.version, found.in_force_from = edition.version, edition.in_force_from
        found.matters.extend(map(_matter, edition.matters.values()))
    return found


def _chosen(known: Mapping[str, D], in_force: D | None, version: str, code: str) -> D | None:
    if version and version not in known:
        raise XinqiaoError(code, version=version[:64], known=", ".join(sorted(known)) or "-")
    return known[version] if version else in_force


def _measure(measure: Measure) -> pb.Measure:
    return pb.Measure(
        code=measure.code,
        title_zh=measure.title_zh,
        title_en=measure.title_en,
        kind=measure.kind.value,
        basis=measure.basis,
        article=measure.article,
        requires=measure.requires,
    )


def _matter(matter: Matter) -> pb.Matter:
    return pb.Matter(
        code=matter.code,
        title_zh=matter.title_zh,
        title_en=matter.title_en,
        units=matter.units,
        items=matter.items,
        measures=matter.measures,
        lists=matter.lists,
    )
