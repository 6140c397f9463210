"""The table of settings: each with its type, default, meaning and what is trusted.

The class Config is the table: the file that `xinqiao init` writes, the checks and the table in docs/OPERATING.md are
all made from it.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from node.core.identifiers import division_fault, is_node_id, uscc_fault
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import LEVELS

# -- values --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on or to call; port 0 lets the system choose one to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read HOST:PORT, an IPv6 address in brackets; raises ValueError with a sentence."""
        match = _ENDPOINT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not HOST:PORT; an IPv6 address stands in brackets, as in [::1]:7400")
        host, port = match["ipv6"] or match["host"], int(match["port"])
        if match["ipv6"]:
            host = str(ipaddress.IPv6Address(host))
        if port > 65535:
            raise ValueError(f"{text!r}: the largest port is 65535")
        return cls(host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or _is(self.host, "is_loopback")

    @property
    def is_every_address(self) -> bool:
        """Whether it stands for all addresses of the machine, and so for none that a peer could call."""
        return _is(self.host, "is_unspecified")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_ENDPOINT = re.compile(r"(\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9._-]{1,253})):(?P<port>[0-9]{1,5})")


def _is(host: str, quality: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(host), quality))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Setting:
    """What is said of one setting, and which values it may have.

    fault answers None for a sound value, otherwise what is wrong with it.
    """

    meaning: str
    trusted: str
    unit: str = ""
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    fault: Callable[[Any], str | None] | None = None


# -- what a value may be -------------------------------------------------------------------------------------


def _id_fault(text: str) -> str | None:
    return None if is_node_id(text) else f"{text!r} is neither six digits nor a lower-case name of 2 to 31 characters"


def _parent_fault(text: str) -> str | None:
    return _id_fault(text) if text else None


def _name_fault(text: str) -> str | None:
    if not 1 <= len(text) <= 100 or not text.isprintable() or text != text.strip():
        return "a name has 1 to 100 printable characters and no space at either end"
    return None


def _division_fault(text: str) -> str | None:
    return f"{text!r} is no division code of GB/T 2260" if text and division_fault(text) else None


def _authorities_fault(codes: tuple[str, ...]) -> str | None:
    wrong = [code for code in codes if uscc_fault(code)]
    return f"{wrong[0]!r} is no unified social credit code (GB 32100)" if wrong else None


def _network_fault(text: str) -> str | None:
    return None if re.fullmatch(r"([a-z0-9][a-z0-9._-]{0,63}:[0-9a-f]{16})?", text) else f"{text!r} is no network id"


def _fingerprint_fault(text: str) -> str | None:
    return None if re.fullmatch(r"([0-9a-f]{64})?", text) else "a fingerprint has 64 digits 0 to 9 and a to f"


def _callable_fault(endpoint: Endpoint | None) -> str | None:
    if endpoint is None or (endpoint.port and not endpoint.is_every_address):
        return None
    return f"nobody can call {endpoint}; name an address and a port"


def _database_fault(url: str) -> str | None:
    """What is wrong with an address, without quoting it: a password may stand in it."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/")):
        return "it is not of the form postgresql://USER@HOST/DATABASE"
    if parts.password or {"password", "sslpassword"} & parse_qs(parts.query).keys():
        return "it holds a password, which would be shown with the settings; put it into database_password_file"
    return None


def _loopback_fault(endpoint: Endpoint | None) -> str | None:
    return None if endpoint is None or endpoint.is_loopback else f"{endpoint} is no loopback address"


# -- the table -----------------------------------------------------------------------------------------------

_OFFICERS = "Nothing: peers go by the descriptor whose fingerprint the officers approved."
_LISTED = "Nobody who calls, unless the registry lists the certificate shown."


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one node; made by load, checked as a whole."""

    id: Annotated[
        str,
        Setting(
            "Who this node is: the GB/T 2260 code of its division, or a short name such as `national`. Never changes.",
            _OFFICERS,
            fault=_id_fault,
        ),
    ]
    name: Annotated[str, Setting("The node's name for people.", _OFFICERS, fault=_name_fault)]
    level: Annotated[str, Setting("Where it stands among the nodes.", _OFFICERS, choices=LEVELS)]
    division: Annotated[
        str,
        Setting("The GB/T 2260 code of its seat. Empty for a node without one.", _OFFICERS, fault=_division_fault),
    ] = ""
    parent: Annotated[
        str, Setting("The id of the superior node. Empty at the top.", _OFFICERS, fault=_parent_fault)
    ] = ""
    authorities: Annotated[
        tuple[str, ...],
        Setting(
            "The USCCs of the public bodies whose records this node sends. A change makes a new descriptor.",
            _OFFICERS + " A record of any other body has no effect at any receiver.",
            fault=_authorities_fault,
        ),
    ] = ()

    network: Annotated[
        str,
        Setting(
            "The network it belongs to. Written by `xinqiao join`; empty before.",
            "Nothing: it follows from root_fingerprint. What is signed for another network is refused.",
            fault=_network_fault,
        ),
    ] = ""
    root_fingerprint: Annotated[
        str,
        Setting(
            "The fingerprint of the registry's first root. Written by `xinqiao join`.",
            "This very number, and everything follows from it: who is a member, with which keys, under which rules."
            " Have an officer read it to you over another line.",
            fault=_fingerprint_fault,
        ),
    ] = ""
    registry: Annotated[
        Endpoint | None,
        Setting(
            "Where the registry is asked first. Written by `xinqiao join`. Other members are asked when it is silent.",
            "Nothing: what is served there is verified from root_fingerprint on. It can be silent, it cannot lie.",
            fault=_callable_fault,
        ),
    ] = None

    listen: Annotated[
        Endpoint | None,
        Setting(
            "Where peers call for exchange. Empty for a node that only dials out, such as one behind NAT.",
            _LISTED,
        ),
    ] = None
    advertise: Annotated[
        Endpoint | None,
        Setting(
            "The address that peers are told, where it is not the one of `listen`.",
            "Nothing: whoever answers there must show this node's certificate.",
            fault=_callable_fault,
        ),
    ] = None
    registry_listen: Annotated[
        Endpoint | None,
        Setting(
            "Where this node serves the registry's files as it has verified them. Empty to serve none.",
            "Nobody who calls: they show no certificate, get public files only, and are limited in rate.",
        ),
    ] = None
    registry_advertise: Annotated[
        Endpoint | None,
        Setting(
            "The address of the registry port that peers are told, where it is not the one of `registry_listen`.",
            "Nothing: peers verify every file.",
            fault=_callable_fault,
        ),
    ] = None
    query_listen: Annotated[
        Endpoint | None,
        Setting(
            "Where systems of the operator check subjects, over mutual TLS. Empty: checks come by the admin socket.",
            "Nobody who calls, unless `xinqiao client` has registered the certificate shown; then for its unit, matters"
            " and officers only. Who of these asks is the word of the system.",
        ),
    ] = None
    metrics_listen: Annotated[
        Endpoint | None,
        Setting(
            "Where Prometheus reads metrics. Empty for none.",
            "Every user of this machine; hence loopback only, and no person's id in any metric.",
            fault=_loopback_fault,
        ),
    ] = None
    reflection: Annotated[
        bool,
        Setting(
            "Whether the exchange port tells callers which services it has, for tools such as grpcurl.",
            _LISTED,
        ),
    ] = False

    heartbeat_interval_s: Annotated[
        int,
        Setting(
            "How often this node signs where its channels stand: a twelfth of the shortest staleness limit it keeps.",
            "Nothing: peers judge freshness by the heartbeats themselves.",
            unit="s",
            low=1,
            high=900,
        ),
    ] = 300
    registry_refresh_s: Annotated[
        int,
        Setting(
            "How often the registry is asked for news. A suspension takes effect here within this time.",
            "Nothing: silence shows as STALE once the files held expire.",
            unit="s",
            low=1,
            high=86_400,
        ),
    ] = 300
    grace_hours: Annotated[
        int,
        Setting(
            "How long exchange with known members goes on after the registry's files have expired.",
            "The members as last verified; until news come, only changes that narrow them apply.",
            unit="h",
            low=72,
            high=720,
        ),
    ] = 72
    key_settle_s: Annotated[
        int,
        Setting(
            "How long a new key waits after it is listed before it is used, and the old one after that before it is"
            " retired. At least registry_refresh_s and heartbeat_interval_s together.",
            "That peers refresh within this time; one that does not refuses this node until it has.",
            unit="s",
            low=1,
            high=604_800,
        ),
    ] = 900
    clock_skew_limit_s: Annotated[
        int,
        Setting(
            "By how much a peer's clock may differ from this one before it is refused.",
            "This machine's clock; the time a peer signs is believed up to now plus this limit.",
            unit="s",
            low=1,
            high=3_600,
        ),
    ] = DEFAULT_LIMITS.max_clock_skew_ms // 1000
    retry_cap_s: Annotated[
        int,
        Setting(
            "The longest pause between two attempts to reach a peer that is down.",
            "Nothing: a call from that peer ends the pause.",
            unit="s",
            low=1,
            high=86_400,
        ),
    ] = 1_800

    list_late_s: Annotated[
        int,
        Setting(
            "How long a reader may owe an entry of a list of this node before that is an alarm (T2).",
            "The receipts of the readers; each is signed.",
            unit="s",
            low=1,
            high=86_400,
        ),
    ] = 3_600
    list_report_s: Annotated[
        int,
        Setting(
            "How long a reader may owe an entry of a list of a node below this one before that is an alarm here (T3)."
            " At least list_late_s.",
            "The receipts of the readers; each is signed.",
            unit="s",
            low=1,
            high=604_800,
        ),
    ] = 86_400

    links_further: Annotated[
        int,
        Setting(
            "To how many further members of shared audiences this node keeps links, besides parent, children and the"
            " origins it reads.",
            "Nothing: whatever link an entry comes by, it is verified.",
            low=0,
            high=64,
        ),
    ] = 8
    max_records_per_entry: Annotated[
        int,
        Setting(
            "How many records `xinqiao publish` puts into one signed entry at most.",
            "Nothing: receivers hold to a limit of their own.",
            low=1,
            high=DEFAULT_LIMITS.max_records_per_entry,
        ),
    ] = 500

    database: Annotated[
        str,
        Setting(
            "Where this node keeps its data: postgresql://USER@HOST/DATABASE, a database that it has for itself. Empty:"
            " the file xinqiao.db in the home. To be chosen before `xinqiao join`.",
            "The server and its administrators, as much as the disk of this machine. Over a network let the address end"
            " in ?sslmode=verify-full.",
            fault=_database_fault,
        ),
    ] = ""
    database_password_file: Annotated[
        str,
        Setting(
            "The file that holds the password of `database`, its path as seen from the home. Empty: as PostgreSQL's own"
            " programs find it, in the file of PGPASSFILE or ~/.pgpass, or none.",
            "That nobody else can read the file; one that others may read is refused.",
        ),
    ] = ""

    key_passphrase_file: Annotated[
        str,
        Setting(
            "The file that holds the passphrase of the private keys, its path as seen from the home. Empty: the"
            " environment (XINQIAO_KEY_PASSPHRASE), then the systemd credential xinqiao-key-passphrase, then none.",
            "That nobody else can read the source; a file that others may read is refused.",
        ),
    ] = ""
    log_level: Annotated[
        str,
        Setting(
            "What is logged.",
            "Whoever reads the log; yet no level logs a secret or a person's id.",
            choices=("debug", "info", "warning", "error"),
        ),
    ] = "info"
    log_format: Annotated[
        str,
        Setting("How it is logged.", "Nothing.", choices=("console", "json")),
    ] = "console"

    def told_exchange(self, port: int) -> str:
        """The exchange address that peers are told, with the port listened on; empty for a node that only dials out."""
        return _told(self.listen, self.advertise, port)

    def told_registry(self, port: int) -> str:
        """The address of the registry port that peers are told; empty where there is none."""
        return _told(self.registry_listen, self.registry_advertise, port)

    def database_password_path(self, home: Path) -> Path | None:
        """The file of database_password_file, None where none is set."""
        return home / self.database_password_file if self.database_password_file else None

    def passphrase_path(self, home: Path) -> Path | None:
        """The file of key_passphrase_file, None where none is set."""
        return home / self.key_passphrase_file if self.key_passphrase_file else None


def _told(listen: Endpoint | None, advertise: Endpoint | None, port: int) -> str:
    if advertise is not None:
        return str(advertise)
    return str(replace(listen, port=port)) if listen is not None else ""
