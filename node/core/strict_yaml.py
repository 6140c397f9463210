"""YAML read strictly: files that people write, such as scenarios and drafts of editions.

Only what JSON has is taken over from YAML: no dates, no octal or sexagesimal numbers, no yes and no, no references,
no key twice. What a file means does not hang on a YAML library's taste.
"""

import re
from typing import Any

import yaml


class YamlError(Exception):
    """What is wrong with a text, and in which line."""


class _Texts(yaml.SafeLoader):
    """A loader for lists, keys and texts."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way
    yaml_constructors = {  # noqa: RUF012 - likewise
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (
            *(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")),
            None,
        )
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse references, with which a short file can be endless."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "references (*name) are not taken", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: one of the two would be lost."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else True:
                what = f"the key {key.value!r} stands twice" if isinstance(key, yaml.ScalarNode) else "a key is a text"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Loader(_Texts):
    """A loader for what JSON has."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way


for _kind, _shape, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_shape})$"), _first)


def read_yaml(text: str, most: int, *, texts_only: bool = False) -> Any:
    """What a text of at most so many characters holds; raises YamlError.

    With texts_only, numbers, true, false and null are texts as they are written.
    """
    if len(text) > most:
        raise YamlError(f"it has {len(text)} characters, at most {most} are read")
    try:
        return yaml.load(text, Loader=_Texts if texts_only else _Loader)  # noqa: S506 - a safe loader with less
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"line {line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(f"it is no YAML: {error}") from None
