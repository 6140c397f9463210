"""Every key of a scenario file for people: values, default and meaning, as the schema has them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic_core import PydanticUndefined

from node.simulator.scenario import FAULTS, PARTS, Fault, LinkOptions, LinkRule, Part


class KeyRow(NamedTuple):
    """One key. part is where it stands, about what that part is; default is empty for a key that must be given."""

    part: str
    about: str
    key: str
    values: str
    default: str
    meaning: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row without its part."""
        return self.key, self.values, self.default or "must be given", self.meaning


def key_rows() -> Iterator[KeyRow]:
    """Every key, in the order of the schema; what several parts have stands once, in the part named first."""
    for name, part in PARTS.items():
        yield from _rows(name or "the file", part, LinkOptions if part is LinkRule else None, "the keys of network")
    yield from _rows("faults", Fault)
    for kind, fault in FAULTS.items():
        yield from _rows(f"faults, kind: {kind}", fault, Fault, "the keys of all faults")


def _rows(name: str, part: type[Part], base: type[Part] | None = None, common: str = "") -> Iterator[KeyRow]:
    about = " ".join((part.__doc__ or "").split())
    schema = part.model_json_schema(mode="serialization")["properties"]
    inherited = base.model_fields if base else {}
    for attribute, field in part.model_fields.items():
        if attribute == "kind" or (attribute in inherited and field.description == inherited[attribute].description):
            continue
        key = str(field.serialization_alias or attribute)
        default = "" if field.default is PydanticUndefined else _text(field.default)
        yield KeyRow(name, about, key, _values(schema[key]), default, field.description or "")
    if base:
        yield KeyRow(name, about, "…", "", "-", common)


def _text(default: object) -> str:
    """The default as it stands in a file."""
    if isinstance(default, Part):
        return "its own"
    if isinstance(default, list):
        default = [each.model_dump(exclude_unset=True) if isinstance(each, Part) else each for each in default]
    return "none" if default is None else json.dumps(default)


def _values(schema: Mapping[str, Any]) -> str:
    """What may stand there, in a few words."""
    if "anyOf" in schema:
        return _values(schema["anyOf"][0])
    if "$ref" in schema:
        return "keys below"
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "prefixItems" in schema:
        return f"[least, largest], each {_values(schema['prefixItems'][0])}"
    if schema["type"] == "array":
        items = schema["items"]
        return "a list of texts" if items.get("type") == "string" else "a list, keys below"
    return _NAMES[schema["type"]] + _bounds(schema)


_NAMES = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


def _bounds(schema: Mapping[str, Any]) -> str:
    words = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
    return "".join(f" {word} {schema[name]:,.10g}" for name, word in words if name in schema)
