"""Settings in real files: read strictly, written with their documentation, changed without losing comments."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from node import config as settings
from node.config import Config, Endpoint
from node.core.errors import XinqiaoError
from node.core.identifiers import uscc_check_character

ROOT = Path(__file__).resolve().parents[1]
FINGERPRINT = "ab" * 32
# The division 319900 does not exist: codes that cannot be issued.
AUTHORITIES = tuple(first + uscc_check_character(first) for first in ("11319900MX0000011", "12319900MX0000020"))
MINIMAL = 'id = "310115"\nname = "浦东新区"\nlevel = "district"\n'


def write(home: Path, text: str) -> Path:
    (home / "xinqiao.toml").write_text(text, "utf-8")
    return home


def complete() -> Config:
    return Config(
        id="310115",
        name='浦东"新区"',
        level="district",
        division="310115",
        parent="310000",
        authorities=AUTHORITIES,
        network="delta:0123456789abcdef",
        root_fingerprint=FINGERPRINT,
        registry=Endpoint("registry.example", 7400),
        listen=Endpoint("::1", 0),
        registry_listen=Endpoint("127.0.0.1", 7402),
        advertise=Endpoint("node-1.example", 443),
        metrics_listen=Endpoint("127.0.0.1", 9000),
        reflection=True,
        registry_refresh_s=60,
        log_format="json",
        key_passphrase_file="../secret",
    )


# -- reading -------------------------------------------------------------------------------------------------


def test_three_settings_are_enough(tmp_path: Path) -> None:
    config = settings.load(write(tmp_path, MINIMAL))
    assert config == Config(id="310115", name="浦东新区", level="district")
    assert (config.links_further, config.retry_cap_s, config.reflection) == (8, 1800, False)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for config in (complete(), Config(id="310115", name="浦东新区", level="district")):
        assert settings.load(write(tmp_path, settings.render(config))) == config


def test_a_home_without_settings_is_none(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    for home in (tmp_path / "none", tmp_path / "xinqiao.toml"):
        with pytest.raises(XinqiaoError, match="HOME_MISSING"):
            settings.load(home)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("heartbeat_interval", "heartbeat_interval_s"),
        ("Listen", "listen"),
        ("registery", "registry"),
        ("passphrase_file", "key_passphrase_file"),
        ("'a.b'", None),
        ("'完全'", None),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(tmp_path: Path, key: str, nearest: str | None) -> None:
    with pytest.raises(XinqiaoError, match="CONFIG_UNKNOWN_KEY") as caught:
        settings.load(write(tmp_path, f"{MINIMAL}{key} = 1\n"))
    assert caught.value.parameters["nearest"] in {each.name for each in fields(Config)}
    if nearest:
        assert caught.value.parameters["nearest"] == nearest
        assert "config check" in caught.value.next


WRONG: list[tuple[str, str, str]] = [
    # kinds
    ("name", "1", "not a text"),
    ("heartbeat_interval_s", '"60"', "not a whole number"),
    ("heartbeat_interval_s", "60.0", "not a whole number"),
    ("heartbeat_interval_s", "true", "not a whole number"),
    ("reflection", "1", "not true or false"),
    ("authorities", '"11319900MX00000110"', "not a list of texts"),
    ("authorities", "[1]", "not a list of texts"),
    ("authorities", '["x", "x"]', "twice"),
    ("listen", "7400", "not HOST:PORT"),
    # ranges and choices
    ("heartbeat_interval_s", "0", "within 1 to 900"),
    ("heartbeat_interval_s", "901", "within 1 to 900"),
    ("grace_hours", "71", "within 72 to 720"),
    ("links_further", "-1", "within 0 to 64"),
    ("max_records_per_entry", "4097", "within 1 to 4096"),
    ("level", '"county"', "none of national"),
    ("log_level", '"INFO"', "none of debug"),
    # what they mean
    ("id", '"31011"', "neither six digits"),
    ("id", '"Shanghai"', "neither six digits"),
    ("parent", '"x"', "neither six digits"),
    ("parent", '"310115"', "not its own parent"),
    ("name", '""', "1 to 100"),
    ("name", '"a\\u0007"', "1 to 100"),
    ("division", '"999999"', "GB/T 2260"),
    ("authorities", '["11319900MX00000110"]', "unified social credit code"),
    ("root_fingerprint", '"AB"', "64 digits"),
    ("network", '"a b"', "no network id"),
    ("network", '"delta:0123456789abcdef"', "written together"),
    ("registry", '"127.0.0.1:0"', "nobody can call"),
    ("advertise", '"0.0.0.0:7400"', "nobody can call"),
    ("advertise", '"node.example:7400"', "nobody answers"),
    ("listen", '"0.0.0.0:7400"', "every address"),
    ("registry_listen", '"[::]:7400"', "every address"),
    ("metrics_listen", '"192.0.2.1:9000"', "no loopback"),
    ("metrics_listen", '"metrics.example:9000"', "no loopback"),
    ("key_settle_s", "599", "registry_refresh_s and heartbeat_interval_s"),
]


@pytest.mark.parametrize(("key", "value", "detail"), WRONG)
def test_a_wrong_value_is_refused_and_says_why(tmp_path: Path, key: str, value: str, detail: str) -> None:
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(f"{key} ")]
    with pytest.raises(XinqiaoError, match="CONFIG_INVALID") as caught:
        settings.load(write(tmp_path, "\n".join([*lines, f"{key} = {value}"])))
    assert detail in caught.value.parameters["detail"]
    assert caught.value.parameters["file"] == str(tmp_path / "xinqiao.toml")


def test_two_ports_on_one_address_are_refused(tmp_path: Path) -> None:
    both = 'listen = "127.0.0.1:{0}"\nregistry_listen = "127.0.0.1:{0}"\n'
    with pytest.raises(XinqiaoError, match=r"CONFIG_INVALID.*registry_listen"):
        settings.load(write(tmp_path, MINIMAL + both.format(7400)))
    assert settings.load(write(tmp_path, MINIMAL + both.format(0))).listen == Endpoint("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'id = 310115"', "line 1"),
        (b"id = 1\nid = 2\n", "line 2"),
        (MINIMAL.encode("gb18030"), "UTF-8"),
        (b"#" * 300_000, "more than"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, content: bytes, detail: str) -> None:
    (tmp_path / "xinqiao.toml").write_bytes(content)
    with pytest.raises(XinqiaoError, match="CONFIG_INVALID") as caught:
        settings.load(tmp_path)
    assert detail in caught.value.parameters["detail"]


def test_a_file_edited_on_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / "xinqiao.toml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert settings.load(tmp_path).name == "浦东新区"


def test_a_check_tells_everything_that_is_wrong(tmp_path: Path) -> None:
    config, wrong = settings.check(write(tmp_path, 'id = "x"\nlevel = "district"\nlisen = ""\nreflection = 1\n'))
    assert config is None
    assert [error.parameters["key"] for error in wrong] == ["lisen", "id", "name", "reflection"]
    config, wrong = settings.check(write(tmp_path, MINIMAL))
    assert (config is not None, wrong) == (True, [])


# -- endpoints -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:7400", Endpoint("127.0.0.1", 7400)),
        ("localhost:0", Endpoint("localhost", 0)),
        ("node_1.example:65535", Endpoint("node_1.example", 65535)),
        ("[::1]:7400", Endpoint("::1", 7400)),
        ("[2001:DB8::7]:1", Endpoint("2001:db8::7", 1)),
    ],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text.lower()


@pytest.mark.parametrize(
    "text",
    ["", "7400", ":7400", "host:", "host", "::1:7400", "[::1]", "[::1]:", "host:65536", "host:-1", "host:１",
     "http://host:1", "a b:1", "[1.2.3.4]:1", "[::g]:1", "host:1 ", "host:1\n"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Endpoint.parse(text)


def test_loopback_is_known_by_address() -> None:
    near = ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"]
    far = ["10.0.0.1:1", "0.0.0.0:1", "[::]:1", "localhost.example:1"]
    assert [Endpoint.parse(text).is_loopback for text in near + far] == [True] * 4 + [False] * 4


def test_peers_are_told_what_they_can_call() -> None:
    base: dict[str, Any] = {"id": "310115", "name": "浦东", "level": "district"}
    listening = Config(**base, listen=Endpoint("127.0.0.1", 0), registry_listen=Endpoint("::1", 0))
    assert (listening.told_exchange(41), listening.told_registry(42)) == ("127.0.0.1:41", "[::1]:42")
    told = Config(**base, listen=Endpoint("0.0.0.0", 7400), advertise=Endpoint("node.example", 443))
    assert (told.told_exchange(7400), told.told_registry(0)) == ("node.example:443", "")
    assert Config(**base).told_exchange(0) == ""


def test_a_passphrase_file_is_looked_for_from_the_home(tmp_path: Path) -> None:
    assert complete().passphrase_path(tmp_path) == tmp_path / "../secret"
    assert Config(id="310115", name="浦东", level="district").passphrase_path(tmp_path) is None


# -- writing -------------------------------------------------------------------------------------------------


def test_the_file_explains_every_setting() -> None:
    text = settings.render(complete())
    blocks = {block.splitlines()[-1].split(" = ")[0]: block for block in text.split("\n\n") if " = " in block}
    assert list(blocks) == [each.name for each in fields(Config)]
    assert all("# Trusted: " in block and "# Value: " in block for block in blocks.values())
    assert max(map(len, text.splitlines())) <= 120
    assert list(tomllib.loads(text)) == list(blocks)


def test_an_update_changes_its_lines_and_no_other(tmp_path: Path) -> None:
    text = settings.render(Config(id="310115", name="浦东新区", level="district")).replace(
        "links_further = 8", "links_further = 3 # the line to Suzhou is thin"
    )
    write(tmp_path, text)
    changed = settings.update(
        tmp_path,
        network="delta:0123456789abcdef",
        root_fingerprint=FINGERPRINT,
        registry=Endpoint("::1", 7400),
        authorities=(),
        links_further=4,
    )
    after = (tmp_path / "xinqiao.toml").read_text("utf-8")
    pairs = zip(text.splitlines(), after.splitlines(), strict=True)
    assert [new for old, new in pairs if new != old] == [
        'network = "delta:0123456789abcdef"',
        f'root_fingerprint = "{FINGERPRINT}"',
        'registry = "[::1]:7400"',
        "links_further = 4 # the line to Suzhou is thin",
    ]
    assert settings.load(tmp_path) == changed
    assert settings.update(tmp_path, registry=None).registry is None


def test_an_update_adds_a_setting_that_the_file_lacks(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    assert settings.update(tmp_path, links_further=2).links_further == 2
    assert (tmp_path / "xinqiao.toml").read_text("utf-8") == f"{MINIMAL}links_further = 2\n"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"links_furthest": 3}, "CONFIG_UNKNOWN_KEY"),
        ({"links_further": 99}, "CONFIG_INVALID"),
        ({"links_further": "3"}, "CONFIG_INVALID"),
        ({"network": "delta"}, "CONFIG_INVALID"),
    ],
)
def test_a_refused_update_leaves_the_file_as_it_was(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    write(tmp_path, MINIMAL)
    with pytest.raises(XinqiaoError, match=code):
        settings.update(tmp_path, **changes)
    assert (tmp_path / "xinqiao.toml").read_text("utf-8") == MINIMAL
    assert [path.name for path in tmp_path.iterdir()] == ["xinqiao.toml"]


# -- documentation -------------------------------------------------------------------------------------------


def test_the_table_names_every_setting_and_what_is_trusted() -> None:
    rows = [line.split(" | ") for line in settings.document().splitlines()[2:]]
    assert [row[0] for row in rows] == [f"| `{each.name}`" for each in fields(Config)]
    assert {len(row) for row in rows} == {6}
    assert all(len(cell) > 3 for row in rows for cell in row[4:])


def test_the_operators_page_has_this_table() -> None:
    page = ROOT / "docs" / "OPERATING.md"
    if not page.exists():
        pytest.skip("docs/OPERATING.md is not written yet")
    assert settings.document() in page.read_text("utf-8")
