"""Scenarios: what a simulated network is made of, what it is given to do, and what is done to it.

The classes here are the schema of a scenario file; the table of keys in docs/SIMULATOR.md is made from them. What
concerns several keys of different parts is checked in reading.py.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_MINUTES = 10_000.0
MAX_NODES = 1000

Number = TypeVar("Number", int, float)


def _in_order(pair: tuple[Number, Number]) -> tuple[Number, Number]:
    if pair[0] > pair[1]:
        raise ValueError("the least stands first, the largest second")
    return pair


def _at_least_one(pair: tuple[int, int]) -> tuple[int, int]:
    if pair[0] < 1:
        raise ValueError("a batch has at least one record")
    return pair


def _as_text(value: object) -> object:
    """An id of six digits is a number to YAML when nobody puts it in quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Share = Annotated[float, Field(ge=0.0, le=1.0)]
AnHour = Annotated[float, Field(ge=0.0, le=100_000.0)]
NodeId = Annotated[str, BeforeValidator(_as_text)]
Amount = Annotated[float, Field(ge=0.0, le=1e9)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Range = Annotated[tuple[Amount, Amount], AfterValidator(_in_order)]
"""The least and the largest; what is between is drawn from the seed."""
Counts = Annotated[tuple[Count, Count], AfterValidator(_in_order)]
Shift = Annotated[tuple[float, float], AfterValidator(_in_order)]
"""Likewise; may be negative."""


class Part(BaseModel):
    """A part of a scenario: nothing but its own keys, and never changed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True, validate_by_name=True
    )


# -- the network ---------------------------------------------------------------------------------------------


class NodeTemplate(Part):
    """One node, or count nodes that differ in their number."""

    id: NodeId = Field(description='six digits or a short name; with count, "{n}" or "{n:02}" is the number from 1 on')
    level: Literal["national", "region", "province", "city", "district", "sector"] = Field(
        default="city", description="where it stands among the nodes"
    )
    parent: NodeId = Field(default="", description="the id of the node above; empty for none")
    count: int = Field(
        default=0, ge=0, le=MAX_NODES, description="how many nodes the template makes; 0 makes one, without a number"
    )
    dials_out: bool = Field(default=False, description="the node has no address of its own and calls others only")


class Channel(Part):
    """One channel that is there from the beginning."""

    origin: NodeId = Field(description='the id of its origin; "each" gives one to every node')
    name: str = Field(default="registrations", description="the channel's name after the origin's id")
    audience: str = Field(
        default="everyone", description='an audience as `xinqiao channel create --audience` takes it, or "drawn"'
    )
    priority: Literal["bulk", "control"] = Field(default="bulk", description="the lane it travels in")


class JointList(Part):
    """One joint list that is there from the beginning. Its channel is ORIGIN/lists/CODE, in the control lane."""

    origin: NodeId = Field(description='the id of the node that determines it; "each" gives one to every node')
    code: str = Field(default="dishonest", description="the code of the list")
    kind: Literal["serious", "red", "watch"] = Field(
        default="serious", description="what it is; two officers sign every change of a serious list"
    )
    audience: str = Field(default="everyone", description='an audience as for channels, or "drawn"')
    staleness_limit_s: int = Field(
        default=600,
        ge=0,
        lt=1 << 31,
        description="seconds after which a copy is too old to answer from; 0 is the network's own limit, a day",
    )


class NodeSettings(Part):
    """The settings of every node."""

    heartbeat_s: float = Field(default=60.0, gt=0, description="seconds between two heartbeats")
    registry_refresh_s: float = Field(default=120.0, gt=0, description="seconds between two readings of the registry")
    retry_cap_s: float = Field(default=300.0, gt=0, description="the longest pause of a link that fails, in seconds")
    links_further: int = Field(default=8, ge=0, le=64, description="links beside parent, children and own origins")
    grace_hours: float = Field(
        default=72.0, ge=0, description="how long after its expiry the registry's word is trusted"
    )


class Workload(Part):
    """What the operators do, as counts a virtual hour over the whole network, at times drawn from the seed."""

    batches: AnHour = Field(default=30, description="batches published")
    records: Annotated[Counts, AfterValidator(_at_least_one)] = Field(
        default=(1, 8), description="records a batch, least and largest"
    )
    padding_bytes: Counts = Field(default=(0, 200), description="length of the longest text of a record")
    revised: Share = Field(default=0.2, description="share of records that revise an earlier one")
    repeated: Share = Field(default=0.1, description="share of records that repeat an earlier one unchanged")
    erasures: AnHour = Field(default=4, description="records erased")
    audience_changes: AnHour = Field(default=1, description="manifests that drop or add a reader")
    list_changes: AnHour = Field(default=30, description="changes of joint lists, where there are any")
    list_operations: Annotated[Counts, AfterValidator(_at_least_one)] = Field(
        default=(1, 4), description="operations of one change, least and largest"
    )
    list_exits: Share = Field(default=0.3, description="share of the operations that end a listing")
    list_audience_changes: AnHour = Field(default=1, description="manifests that drop or add a reader of a joint list")
    checks: AnHour = Field(
        default=60, description="subjects that an officer somewhere checks, where there are joint lists"
    )
    key_rotations: AnHour = Field(default=0, description="signing keys rotated")
    suspensions: AnHour = Field(
        default=0, description="members suspended with a cut, and reinstated some minutes later"
    )

    @model_validator(mode="after")
    def _shares_of_one_whole(self) -> Self:
        if self.revised + self.repeated > 1.0:
            raise ValueError("revised and repeated are shares of the same records: together at most 1")
        return self


# -- what is always there ------------------------------------------------------------------------------------


class LinkOptions(Part):
    """How messages travel between two nodes. Shares are of single messages unless they say otherwise."""

    latency_ms: Range = Field(default=(2.0, 80.0), description="time a message travels")
    slow_share: Share = Field(default=0.01, description="messages that take ten times as long")
    bytes_per_s: int = Field(default=0, ge=0, description="bandwidth of each direction and lane; 0 is unlimited")
    reset: Share = Field(default=0.0, description="messages at which the connection is reset: every call on it fails")
    stall: Share = Field(default=0.0, description="messages that are held back for stall_s")
    stall_s: Range = Field(default=(5.0, 90.0), description="how long a held message waits, in seconds")
    lost_answer: Share = Field(default=0.0, description="calls that take effect and whose answer never comes")
    duplicate: Share = Field(default=0.0, description="calls that arrive twice")

    def travel_s(self, size: int) -> float:
        """How long so many bytes of one direction and lane take, in seconds; what arrives twice travels twice."""
        times = 2 if self.duplicate else 1
        return times * size / self.bytes_per_s if self.bytes_per_s else 0.0


class LinkRule(LinkOptions):
    """Other options for some links, in both directions; a key not given has its default, not what network says."""

    between: list[NodeId] = Field(min_length=1, description='the ids on one side; "any" for all')
    and_: list[NodeId] = Field(
        min_length=1,
        validation_alias="and",
        serialization_alias="and",
        description='the ids on the other side; "any" for all',
    )


class DiskOptions(Part):
    """How a disk behaves. Shares are of single transactions."""

    latency_ms: Range = Field(default=(0.2, 10.0), description="time a transaction takes")
    fail: Share = Field(default=0.0, description="transactions that fail and leave nothing")
    fail_persisted: Share = Field(
        default=0.0, description="transactions that are reported as failed and are there all the same"
    )
    crash_before: Share = Field(default=0.0, description="transactions before which the process is killed")
    crash_after: Share = Field(
        default=0.0, description="transactions after which the process is killed, before anybody knows"
    )


class ClockOptions(Part):
    """How clocks differ."""

    skew_s: float = Field(
        default=2.0, ge=0, description="a node's clock is off by at most this many seconds, either way"
    )
    drift_ppm: float = Field(
        default=50.0, ge=0, description="and runs too fast or too slow by at most this many millionths"
    )


# -- what happens --------------------------------------------------------------------------------------------


class Fault(Part):
    """Something that is done to nodes: at a time, or so many times a virtual hour."""

    at_minute: float | None = Field(default=None, ge=0, description="when, in virtual minutes")
    each_hour: AnHour | None = Field(default=None, description="how many times a virtual hour; at_minute or each_hour")
    nodes: list[NodeId] = Field(
        default=[], description="to which nodes; one of them is drawn each time; empty for any node"
    )
    lasts_s: Range = Field(default=(5.0, 120.0), description="how long it lasts, in seconds; it ends with minutes")

    @model_validator(mode="after")
    def _one_kind_of_time(self) -> Self:
        if (self.at_minute is None) == (self.each_hour is None):
            raise ValueError("give at_minute or each_hour, one of the two")
        return self


class Crash(Fault):
    """The process is killed at whatever it awaits, and started again after lasts_s."""

    kind: Literal["crash"]


class Restore(Fault):
    """The process is killed, and started again after lasts_s on a backup of its database that was age_s old."""

    kind: Literal["restore"]
    age_s: Range = Field(default=(30.0, 600.0), description="age of the backup, in seconds")
    sidecar: Literal["kept", "lost"] = Field(
        default="kept", description="whether the file of signed heads is still there"
    )


class LostOnCrash(Fault):
    """The disk has lied: the process is killed, and the last seconds of commits are gone. The sidecar is kept."""

    kind: Literal["lost_on_crash"]
    age_s: Range = Field(default=(0.1, 5.0), description="how far back the database falls, in seconds")


class DiskFull(Fault):
    """Every transaction fails with DISK_FULL."""

    kind: Literal["disk_full"]


class Partition(Fault):
    """Messages from nodes to others do not arrive; unless one_way, neither do those from others to nodes."""

    kind: Literal["partition"]
    nodes: list[NodeId] = Field(default=[], description="one side, all of them; empty for some that are drawn")
    others: list[NodeId] = Field(default=[], description="the other side; empty for everybody else")
    one_way: bool = Field(default=False, description="whether only one direction is cut")


class Slow(Fault):
    """The node answers late."""

    kind: Literal["slow"]
    times: float = Field(
        default=50.0, ge=1, description="latency of every message to and from it is multiplied by this"
    )


class ClockStep(Fault):
    """The node's clock jumps, and jumps back after lasts_s."""

    kind: Literal["clock_step"]
    by_s: Shift = Field(default=(-400.0, 400.0), description="by how many seconds")


class Suspend(Fault):
    """The officers suspend the member with a cut, and reinstate it after lasts_s."""

    kind: Literal["suspend"]


class RotateKey(Fault):
    """The node takes a new signing key; the old one is retired, or revoked."""

    kind: Literal["rotate_key"]
    revoke: bool = Field(default=False, description="whether the old key is revoked")


class Equivocate(Fault):
    """A copy of the node goes on beside it: the same keys, another history, shown to some of the others.

    At most a third of the nodes equivocate or lie; the guarantees hold for the others.
    """

    kind: Literal["equivocate"]


class Lie(Fault):
    """The node tampers with what it relays. At most a third of the nodes do; the guarantees hold for the others."""

    kind: Literal["lie"]
    how: Literal["withhold", "re-encode", "replay", "fake-erasure", "false-heads", "forge", "any"] = Field(
        default="any", description="what it does"
    )


class RegistryFault(Fault):
    """The registry misbehaves towards the nodes."""

    kind: Literal["registry"]
    nodes: list[NodeId] = Field(default=[], description="to which nodes, all of them; empty for some that are drawn")
    how: Literal["unreachable", "rolled-back", "frozen", "expired", "two-faced", "any"] = Field(
        default="any", description="what it does"
    )


AnyFault = Annotated[
    Crash
    | Restore
    | LostOnCrash
    | DiskFull
    | Partition
    | Slow
    | ClockStep
    | Suspend
    | RotateKey
    | Equivocate
    | Lie
    | RegistryFault,
    Field(discriminator="kind"),
]


class Expectations(Part):
    """What must be true at the end, beside what must always be true."""

    converges: bool = Field(
        default=True, description="whether every reader holds and has applied what its origin wrote"
    )
    alarms: list[str] = Field(default=[], description="codes of alarms that some honest node must have raised")
    no_alarms: list[str] = Field(default=[], description="codes of alarms that no honest node may have raised")
    idle_bytes: int = Field(
        default=65_536, ge=0, description="what a link may carry in an interval with nothing to do, at most"
    )
    control_delay_s: float = Field(
        default=60.0,
        gt=0,
        description="how long a control entry may take, beside what bytes_per_s needs for it and for the control "
        "entries before it, to a reader between which and its origin all is well",
    )


class Scenario(Part):
    """A scenario file."""

    name: str = Field(description="a line for people")
    nodes: list[NodeTemplate] = Field(min_length=1, description="the nodes")
    channels: list[Channel] = Field(
        default=[Channel(origin="each")], description="the channels there are from the beginning"
    )
    lists: list[JointList] = Field(default=[], description="the joint lists there are from the beginning")
    settings: NodeSettings = Field(default=NodeSettings(), description="settings of every node")
    minutes: float = Field(default=20.0, gt=0, le=MAX_MINUTES, description="virtual minutes of workload and faults")
    settle_minutes: float = Field(
        default=30.0, gt=0, le=MAX_MINUTES, description="virtual minutes without faults in which all must converge"
    )
    workload: Workload = Field(default=Workload(), description="what the operators do")
    network: LinkOptions = Field(default=LinkOptions(), description="how every link behaves")
    links: list[LinkRule] = Field(default=[], description="links that behave otherwise; the last rule that fits counts")
    disk: DiskOptions = Field(default=DiskOptions(), description="how every disk behaves")
    clocks: ClockOptions = Field(default=ClockOptions(), description="how clocks differ")
    faults: list[AnyFault] = Field(default=[], description="what is done to the nodes")
    expect: Expectations = Field(default=Expectations(), description="what must be true at the end")


PARTS: dict[str, type[Part]] = {
    "": Scenario,
    "nodes": NodeTemplate,
    "channels": Channel,
    "lists": JointList,
    "settings": NodeSettings,
    "workload": Workload,
    "network": LinkOptions,
    "links": LinkRule,
    "disk": DiskOptions,
    "clocks": ClockOptions,
    "expect": Expectations,
}
"""The class behind each key of a scenario file; "" is the file itself, and faults stand in FAULTS."""

FAULTS: dict[str, type[Fault]] = {
    "crash": Crash,
    "restore": Restore,
    "lost_on_crash": LostOnCrash,
    "disk_full": DiskFull,
    "partition": Partition,
    "slow": Slow,
    "clock_step": ClockStep,
    "suspend": Suspend,
    "rotate_key": RotateKey,
    "equivocate": Equivocate,
    "lie": Lie,
    "registry": RegistryFault,
}
"""The class of each kind of fault."""


def keys_of(part: type[Part]) -> dict[str, str]:
    """The keys of a part as they stand in a file, with what each means."""
    return {
        str(field.serialization_alias or name): field.description or ""
        for name, field in part.model_fields.items()
        if name != "kind"
    }
