"""Editions as officers draft them: JSON as it will be published, or YAML, which is easier to write."""

import json
from pathlib import Path

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.strict_yaml import YamlError, read_yaml

FORMAT = 1
YAML_SUFFIXES = (".yaml", ".yml")


def draft_of(path: Path) -> bytes:
    """The edition in a file as JSON; raises ARGUMENT_INVALID.

    In YAML everything is text, so that a version or a code needs no quotes, and the format may be left out.
    """
    with path.open("rb") as file:
        content = file.read(DEFAULT_LIMITS.max_registry_file_bytes + 1)
    return _from_yaml(path, content) if path.suffix.lower() in YAML_SUFFIXES else content


def _from_yaml(path: Path, content: bytes) -> bytes:
    try:
        document = read_yaml(content.decode(), DEFAULT_LIMITS.max_registry_file_bytes, texts_only=True)
    except (YamlError, UnicodeDecodeError) as why:
        raise XinqiaoError("ARGUMENT_INVALID", argument=path.name, detail=str(why)) from None
    if not isinstance(document, dict):
        raise XinqiaoError("ARGUMENT_INVALID", argument=path.name, detail="it holds no keys with values")
    if document.setdefault("format", FORMAT) == str(FORMAT):
        document["format"] = FORMAT
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
