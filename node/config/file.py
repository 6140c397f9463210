"""The settings file HOME/xinqiao.toml: read strictly, written with its documentation, changed with comments kept."""

import difflib
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tomlkit
from tomlkit.exceptions import TOMLKitError

from node import files
from node.config.table import Config, Endpoint, Setting
from node.core.errors import XinqiaoError

FILE = "xinqiao.toml"
MAX_FILE_BYTES = 256 * 1024
_WIDTH = 110

_HEADINGS = {
    "id": "Who this node is",
    "network": "The network it belongs to",
    "listen": "Where it listens",
    "heartbeat_interval_s": "Times",
    "links_further": "Sizes",
    "database": "Where its data are",
    "key_passphrase_file": "Keys and log",
}


# -- kinds of values -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a type of value stands in the file: its name for people, how it is read and how it is written."""

    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def _exactly(kind: type, name: str) -> _Kind:
    def read(value: Any) -> Any:
        # bool is a kind of int in Python, not in a settings file
        if type(value) is not kind:
            raise ValueError(f"{value!r} is not {name}")
        return value

    return _Kind(name, read, lambda value: value)


def _read_texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{value!r} is not a list of texts")
    if len(set(value)) != len(value):
        raise ValueError("it names something twice")
    return tuple(value)


def _read_endpoint(value: Any) -> Endpoint | None:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not HOST:PORT in quotes")
    return Endpoint.parse(value) if value else None


_KINDS: dict[Any, _Kind] = {
    str: _exactly(str, "a text"),
    int: _exactly(int, "a whole number"),
    bool: _exactly(bool, "true or false"),
    tuple[str, ...]: _Kind("a list of texts", _read_texts, list),
    Endpoint | None: _Kind("HOST:PORT", _read_endpoint, lambda value: "" if value is None else str(value)),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table, as the class Config has it."""

    name: str
    kind: _Kind
    setting: Setting
    default: Any

    @property
    def is_required(self) -> bool:
        return self.default is MISSING

    @property
    def values(self) -> str:
        """The values it may have, for people."""
        if self.setting.choices:
            return " or ".join(self.setting.choices)
        if self.setting.low is not None:
            return f"{self.kind.name}, {self.setting.low} to {self.setting.high}"
        return self.kind.name

    @property
    def default_text(self) -> str:
        """The default as it would stand in the file; empty for a setting that must be given."""
        return "" if self.is_required else _toml(self.kind.write(self.default))

    def read(self, value: Any) -> Any:
        """The checked value of what stands in the file; raises ValueError."""
        found, setting = self.kind.read(value), self.setting
        if setting.choices and found not in setting.choices:
            raise ValueError(f"{found!r} is none of {', '.join(setting.choices)}")
        if setting.low is not None and setting.high is not None and not setting.low <= found <= setting.high:
            raise ValueError(f"{found} is not within {setting.low} to {setting.high}")
        fault = setting.fault(found) if setting.fault else None
        if fault:
            raise ValueError(fault)
        return found


@cache
def _rows() -> dict[str, _Row]:
    rows = {}
    hints = get_type_hints(Config, include_extras=True)
    for each in fields(Config):
        assert get_origin(hints[each.name]) is Annotated
        kind, setting = get_args(hints[each.name])
        rows[each.name] = _Row(each.name, _KINDS[kind], setting, each.default)
    return rows


# -- reading -------------------------------------------------------------------------------------------------


def load(home: Path) -> Config:
    """Read HOME/xinqiao.toml; raises HOME_MISSING, CONFIG_UNKNOWN_KEY, CONFIG_INVALID for the first thing wrong."""
    config, wrong = check(home)
    if config is None:
        raise wrong[0]
    return config


def check(home: Path) -> tuple[Config | None, list[XinqiaoError]]:
    """The settings, or everything that is wrong with them; raises HOME_MISSING, CONFIG_INVALID for what is no TOML."""
    values, wrong = _read(home / FILE, _parse(home / FILE, _content(home)))
    if wrong:
        return None, wrong
    config = Config(**values)
    wrong = [_invalid(home / FILE, key, detail) for key, detail in _contradictions(config)]
    return (None, wrong) if wrong else (config, [])


def _content(home: Path) -> str:
    path = home / FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise XinqiaoError("HOME_MISSING", home=home) from error
    except OSError as error:
        raise _invalid(path, "the file", error.strerror or str(error)) from error
    if len(content) > MAX_FILE_BYTES:
        raise _invalid(path, "the file", f"it has more than {MAX_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _invalid(path, "the file", "it is not in UTF-8") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(path, "the file", str(error)) from error


def _read(path: Path, found: Mapping[str, Any]) -> tuple[dict[str, Any], list[XinqiaoError]]:
    rows, values = _rows(), {}
    wrong = [_unknown(path, key) for key in found if key not in rows]
    for row in rows.values():
        if row.name not in found:
            if row.is_required:
                wrong.append(_invalid(path, row.name, "it is missing"))
            continue
        try:
            values[row.name] = row.read(found[row.name])
        except ValueError as error:
            wrong.append(_invalid(path, row.name, str(error)))
    return values, wrong


def _contradictions(config: Config) -> Iterator[tuple[str, str]]:
    """What no single value shows."""
    if config.parent == config.id:
        yield "parent", "a node is not its own parent"
    if bool(config.network) != bool(config.root_fingerprint):
        yield "root_fingerprint", "it and network are written together, by `xinqiao join`"
    for listen, advertise in (("listen", "advertise"), ("registry_listen", "registry_advertise")):
        address, told = getattr(config, listen), getattr(config, advertise)
        if address is not None and address.is_every_address and told is None:
            yield advertise, f"{listen} is every address of this machine; say which one peers are to call"
        if address is None and told is not None:
            yield listen, f"it is empty, so that nobody answers at {advertise}"
    if config.listen is not None and config.listen.port and config.listen == config.registry_listen:
        yield "registry_listen", "it is the address of listen; the two ports differ in who may call"
    if config.query_listen is not None and config.query_listen.port:
        for other in ("listen", "registry_listen"):
            if config.query_listen == getattr(config, other):
                yield "query_listen", f"it is the address of {other}; the two ports differ in who may call"
    if config.key_settle_s < config.registry_refresh_s + config.heartbeat_interval_s:
        yield "key_settle_s", "it is less than registry_refresh_s and heartbeat_interval_s together"
    if config.list_report_s < config.list_late_s:
        yield "list_report_s", "it is less than list_late_s"


def _unknown(path: Path, key: str) -> XinqiaoError:
    nearest = difflib.get_close_matches(key.lower(), _rows(), n=1, cutoff=0.0)[0]
    return XinqiaoError("CONFIG_UNKNOWN_KEY", file=path, key=key[:60], nearest=nearest)


def _invalid(path: Path, key: str, detail: str) -> XinqiaoError:
    return XinqiaoError("CONFIG_INVALID", file=path, key=key, detail=detail)


# -- writing -------------------------------------------------------------------------------------------------


def render(config: Config) -> str:
    """The settings as a file, each with what it means."""
    lines = ["# Settings of this node. `xinqiao config check` checks them; the node reads them when it starts."]
    for row in _rows().values():
        if row.name in _HEADINGS:
            lines += ["", "", f"# ---- {_HEADINGS[row.name]} ".ljust(_WIDTH, "-")]
        default = "" if row.is_required else f" Default: {row.default_text}{_unit(row)}."
        lines += ["", *_comment(row.setting.meaning), *_comment(f"Trusted: {row.setting.trusted}")]
        lines += _comment(f"Value: {row.values}{_unit(row)}.{default}")
        lines.append(f"{row.name} = {_toml(row.kind.write(getattr(config, row.name)))}")
    return "\n".join(lines) + "\n"


def update(home: Path, **changes: Any) -> Config:
    """Change settings in the file and keep its comments; what does not pass the checks leaves the file as it was.

    Values are those of Config, None and () for empty.
    Raises HOME_MISSING, CONFIG_UNKNOWN_KEY, CONFIG_INVALID, DISK_FULL.
    """
    path, rows = home / FILE, _rows()
    unknown = [key for key in changes if key not in rows]
    if unknown:
        raise _unknown(path, unknown[0])
    try:
        text = tomlkit.parse(_content(home))
    except TOMLKitError as error:
        raise _invalid(path, "the file", str(error)) from error
    for key, value in changes.items():
        text[key] = rows[key].kind.write(value)
    values, wrong = _read(path, text.unwrap())
    config = None if wrong else Config(**values)
    wrong += [_invalid(path, key, detail) for key, detail in _contradictions(config)] if config else []
    if config is None or wrong:
        raise wrong[0]
    files.replace(path, tomlkit.dumps(text).encode())
    return config


def document(shown: Callable[[str], str] = str) -> str:
    """The table of all settings in Markdown, as docs/OPERATING.md has it; shown gives a text in another language."""
    head = ("Setting", "Value", "Unit", "Default", "Meaning", "What is trusted")
    lines = ["| " + " | ".join(map(shown, head)) + " |", "|---|---|---|---|---|---|"]
    for row in _rows().values():
        default = shown("must be given") if row.is_required else f"`{row.default_text}`"
        values, unit = shown(row.values), shown(row.setting.unit)
        cells = (f"`{row.name}`", values, unit, default, shown(row.setting.meaning), shown(row.setting.trusted))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def _unit(row: _Row) -> str:
    return f" {row.setting.unit}" if row.setting.unit else ""


def _toml(value: Any) -> str:
    return str(tomlkit.item(value).as_string())
