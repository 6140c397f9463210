"""The Chinese of everything, read from zh/*.toml: files may be added, and no text may stand in two of them."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache

from node.texts.language import CHINESE, FOLDER


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What failed and the next step, with the same {parameters} as the English of the code."""

    text: str
    next: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every table of zh/*.toml under its name there; all but errors map a text to a text.

    foreign holds what libraries say in the details of errors, which stands in no source of ours.
    """

    errors: dict[str, ErrorText] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    phrases: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    click: dict[str, str] = field(default_factory=dict)


def read(contents: Iterable[tuple[str, str]]) -> Catalogue:
    """The catalogue of (file name, TOML) pairs; raises ValueError for an unknown table or a text that stands twice."""
    found = Catalogue()
    known = {each.name: getattr(found, each.name) for each in fields(Catalogue)}
    for name, content in contents:
        for table, texts in tomllib.loads(content).items():
            if table not in known:
                raise ValueError(f"{name}: there is no table {table}")
            repeated = texts.keys() & known[table].keys()
            if repeated:
                raise ValueError(f"{name}: {table} has {', '.join(sorted(repeated))} elsewhere already")
            known[table].update(_errors(texts) if table == "errors" else texts)
    return found


def _errors(rows: Mapping[str, Mapping[str, str]]) -> dict[str, ErrorText]:
    return {code: ErrorText(**row) for code, row in rows.items()}


@cache
def chinese() -> Catalogue:
    """The Chinese that comes with this version."""
    files = sorted((FOLDER / CHINESE).glob("*.toml"))
    return read((file.name, file.read_text(encoding="utf-8")) for file in files)
