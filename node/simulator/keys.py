"""Every key of a scenario file for people: values, default and meaning, as the schema has them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic_core import PydanticUndefined

from node.simulator.scenario import FAULTS, PARTS, Fault, Part


class KeyRow(NamedTuple):
    """One key. part is where it stands, with what that is; default is empty for a key that must be given."""

    part: str
    key: str
    values: str
    default: str
    meaning: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row without its part."""
        return self.key, self.values, self.default or "must be given", self.meaning


def key_rows() -> Iterator[KeyRow]:
    """Every key, in the order of the schema; what all faults have stands once, before them."""
    for name, part in PARTS.items():
        yield from _rows(name or "the file", part)
    yield from _rows("faults", Fault)
    for kind, fault in FAULTS.items():
        yield from _rows(f"faults, kind: {kind}", fault, besides=Fault)


def _rows(name: str, part: type[Part], besides: type[Part] | None = None) -> Iterator[KeyRow]:
    title = f"{name}: {' '.join((part.__doc__ or '').split())}"
    schema = part.model_json_schema(mode="serialization")["properties"]
    common = besides.model_fields if besides else {}
    own = [
        (str(field.serialization_alias or key), field)
        for key, field in part.model_fields.items()
        if key != "kind" and (key not in common or field.description != common[key].description)
    ]
    for key, field in own:
        default = "" if field.default is PydanticUndefined else _text(field.default)
        yield KeyRow(title, key, _values(schema[key]), default, field.description or "")
    if not own:
        yield KeyRow(title, "", "", "-", "no keys of its own")


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
