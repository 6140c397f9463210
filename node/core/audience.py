"""Audiences as an operator writes them, and manifests as a receiver judges them.

expression := term ("," term)*            the union of its terms
term       := condition ("&" condition)*   the members for which all of them hold; each may stand once
condition  := "everyone" | node id | "level=" LEVEL | "parent=" ID | "region=" DIGITS
"""

import re

from node.core.errors import XinqiaoError
from node.core.identifiers import is_node_id
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_type import manifest_fault
from node.core.membership import LEVELS
from node.pb import channel_pb2

DEFAULT_STALENESS_LIMIT_S = 86_400

_CLASSES = frozenset({channel_pb2.DISCLOSURE_CLASS_A, channel_pb2.DISCLOSURE_CLASS_B, channel_pb2.DISCLOSURE_CLASS_C})
_CONDITIONS = frozenset({"everyone", "node_ids", "level", "parent", "region"})
_REGION = re.compile(r"(?:[0-9]{2}){1,3}")


def parse_audience(expression: str) -> channel_pb2.Audience:
    """Read an audience expression; raises AUDIENCE_EXPRESSION."""
    terms = [part.strip() for part in expression.split(",") if part.strip()]
    if not terms:
        raise XinqiaoError("AUDIENCE_EXPRESSION", expression=expression, detail="it is empty, which means nobody")
    ids = [term for term in terms if is_node_id(term) and term != "everyone"]
    audience = channel_pb2.Audience(terms=[_parse_term(expression, term) for term in terms if term not in ids])
    if ids:
        audience.terms.add(node_ids=sorted(set(ids)))
    return audience


def _parse_term(expression: str, text: str) -> channel_pb2.AudienceTerm:
    term = channel_pb2.AudienceTerm()
    for condition in text.split("&"):
        defect = _set_condition(term, condition.strip())
        if defect:
            raise XinqiaoError("AUDIENCE_EXPRESSION", expression=expression, detail=defect)
    return term


def _set_condition(term: channel_pb2.AudienceTerm, condition: str) -> str:
    """Set one more condition of a term; what is wrong with it, empty when nothing is."""
    name, equals, value = (part.strip() for part in condition.partition("="))
    field = name if equals or name == "everyone" else "node_ids"
    if field in _CONDITIONS and getattr(term, field):
        # A member cannot be two nodes, nor of two levels: taken for an alternative, it would reach too many.
        return f"{condition!r} is a second condition of its kind; separate alternatives by commas"
    if condition == "everyone":
        term.everyone = True
    elif not equals and is_node_id(name):
        term.node_ids.append(name)
    elif name == "level" and value in LEVELS:
        term.level = value
    elif name == "parent" and is_node_id(value):
        term.parent = value
    elif name == "region" and _REGION.fullmatch(value):
        term.region = value
    else:
        return f"{condition!r} is no condition"
    return ""


def format_audience(audience: channel_pb2.Audience) -> str:
    """The expression of an audience; parse_audience reads it back."""
    return ",".join(_format_term(term) for term in audience.terms)


def _format_term(term: channel_pb2.AudienceTerm) -> str:
    conditions = ["everyone"] if term.everyone else []
    conditions += [f"{name}={value}" for name in ("level", "parent", "region") if (value := getattr(term, name))]
    if not term.node_ids:
        return "&".join(conditions)
    return ",".join("&".join([node, *conditions]) for node in term.node_ids)


def manifest_defect(header: channel_pb2.EntryHeader, limits: Limits = DEFAULT_LIMITS) -> str:
    """Why an authentic manifest makes no sense; empty when it does."""
    manifest = header.manifest
    if header.kind != channel_pb2.ENTRY_KIND_MANIFEST or not header.HasField("manifest"):
        return "it is not a manifest"
    if header.record_count:
        return "a manifest has no records"
    if manifest.disclosure not in _CLASSES:
        return "it states no disclosure class"
    if len(manifest.title) > limits.max_title_chars:
        return f"its title has more than {limits.max_title_chars} characters"
    terms = manifest.audience.terms
    if len(terms) > limits.max_audience_terms or any(len(t.node_ids) > limits.max_audience_node_ids for t in terms):
        return "its audience is too long"
    return manifest_fault(header.channel, manifest, limits)
