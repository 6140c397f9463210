"""Swarm: small networks whose options are themselves drawn from a seed; and two large ones with real places.

In a swarm every option is absent in some runs, so that none hides behind another, and some runs have nearly all.
Nothing is drawn by logarithms or powers: the same seed makes the same scenario on every machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from node.simulator.places import CITIES, DISTRICTS, PROVINCES
from node.simulator.scenario import (
    AnyFault,
    Channel,
    ClockOptions,
    ClockStep,
    Crash,
    DiskFull,
    DiskOptions,
    Equivocate,
    Expectations,
    JointList,
    Lie,
    LinkOptions,
    LinkRule,
    LostOnCrash,
    NodeSettings,
    NodeTemplate,
    Partition,
    RegistryFault,
    Restore,
    RotateKey,
    Scenario,
    Slow,
    Suspend,
    Workload,
)

LEVELS = {
    "national": "national",
    "yrd": "region",
    "tax": "sector",
    **dict.fromkeys(PROVINCES, "province"),
    **{city: "city" for cities in CITIES.values() for city in cities},
    **{district: "district" for districts in DISTRICTS.values() for district in districts},
}
ABOVE = {
    **dict.fromkeys(("yrd", "tax", *PROVINCES), "national"),
    **{city: province for province, cities in CITIES.items() for city in cities},
    **{district: above for above, districts in DISTRICTS.items() for district in districts},
}
"""The node above a node."""

SMALL = ("national", "yrd", "tax", "310000", "310115", "310101", "320000", "320500", "320581", "330000", "330100")
SIZES = (3, 4, 4, 5, 5, 5, 6, 6, 7)
DURATIONS = (5.0, 8.0, 10.0, 10.0, 15.0, 20.0)
EVENTS = ((20, 40), (30, 60), (60, 120))
BULK_CHANNELS = 8
LOAD = 100.0
"""Bytes a second for each event a minute: less than half of what the bulk of a loaded run would need."""
APPETITES = (0.1, 0.3, 0.3, 0.6)
"""How likely a fault of weight 1 is in one run."""


def swarm(seed: int) -> Scenario:
    """A small network drawn from a seed: its nodes, channels, work, links, disks, clocks and faults."""
    return _Swarm(seed).scenario()


class _Swarm:
    """One drawing; every part draws from a generator of its own, so that none moves another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(f"swarm {seed}")
        self.ids = self._drawn_ids()
        self.is_loaded = self.random.random() < 0.3
        self.minutes = self.random.choice(DURATIONS[1:4] if self.is_loaded else DURATIONS)
        self.events = self.random.randint(*EVENTS[2 if self.is_loaded else self.random.randrange(3)])
        self.dishonest = self.random.choice(self.ids)

    def _drawn_ids(self) -> list[str]:
        chosen = self.random.sample(SMALL, self.random.choice(SIZES))
        return [node for node in SMALL if node in chosen]

    def part(self, name: str) -> Random:
        """The generator of one part."""
        return Random(f"swarm {self.seed} {name}")

    def scenario(self) -> Scenario:
        """All parts together."""
        faults, settings = self._faults(), self._settings()
        # Whoever is honest is never found with two histories, whatever happens to it.
        no_alarms = [] if "equivocate" in faults else ["EQUIVOCATION"]
        parts = {
            "name": f"swarm {self.seed}: {len(self.ids)} nodes, {', '.join(faults) or 'no faults'}",
            "nodes": self._nodes(),
            "channels": self._channels(),
            "lists": self._lists(settings),
            "settings": settings,
            "minutes": self.minutes,
            "settle_minutes": 45.0,
            "workload": self._workload(),
            "network": self._network(),
            "links": self._links(),
            "disk": self._disk(),
            "clocks": self._clocks(),
            "faults": list(faults.values()),
            "expect": Expectations(no_alarms=no_alarms, control_delay_s=self._control_delay_s(settings)),
        }
        return Scenario.model_validate(parts)

    def _control_delay_s(self, settings: NodeSettings) -> float:
        """Who only dials out asks at every interval; where little gets through, control entries hold each other up."""
        return (120.0 if self.is_loaded else 60.0) + 2 * settings.heartbeat_s

    # -- the network -------------------------------------------------------------------------------------------

    def _nodes(self) -> list[NodeTemplate]:
        random = self.part("nodes")
        only_dials = random.choice(self.ids) if random.random() < 0.2 else ""
        return [_node(node, self.ids, dials_out=node == only_dials) for node in self.ids]

    def _channels(self) -> list[Channel]:
        random = self.part("channels")
        if self.is_loaded:
            return self._loaded_channels(random)
        origins = [node for node in self.ids if random.random() < 0.85] or self.ids[:1]
        found = [self._channel(random, origin, "registrations") for origin in origins]
        found += [self._channel(random, origin, "lists", 0.7) for origin in origins if random.random() < 0.25]
        return found

    def _channel(self, random: Random, origin: str, name: str, control: float = 0.25) -> Channel:
        priority: Literal["bulk", "control"] = "control" if random.random() < control else "bulk"
        return Channel(origin=origin, name=name, audience=self._audience(random, origin), priority=priority)

    def _loaded_channels(self, random: Random) -> list[Channel]:
        """One origin writes much bulk and some control for everyone, so that the one is in the other's way."""
        origin, other = random.sample(self.ids, 2)
        found = [Channel(origin=origin, name=f"registrations-{number}") for number in range(1, BULK_CHANNELS + 1)]
        lists = Channel(origin=origin, name="lists", priority="control")
        return [*found, lists, self._channel(random, other, "lists", 1.0)]

    def _lists(self, settings: NodeSettings) -> list[JointList]:
        """Joint lists of some origins in half of the runs; their copies age within a few heartbeats, or not at all."""
        random = self.part("lists")
        if random.random() < 0.5:
            return []
        origins = random.sample(self.ids, random.choice((1, 1, 2)))
        return [self._list(random, origin, settings) for origin in origins]

    def _list(self, random: Random, origin: str, settings: NodeSettings) -> JointList:
        kind: Literal["serious", "red", "watch"] = random.choice(("serious", "serious", "red", "watch"))
        beats = random.choice((2.5, 5.0, 20.0, 0.0))
        limit_s = int(beats * settings.heartbeat_s)
        return JointList(origin=origin, kind=kind, audience=self._audience(random, origin), staleness_limit_s=limit_s)

    def _audience(self, random: Random, origin: str) -> str:
        kind = random.random()
        if kind < 0.4:
            return "everyone"
        others = [node for node in self.ids if node != origin]
        if kind < 0.75:
            return ",".join(random.sample(others, random.randint(1, len(others))))
        # Some of these are nobody in a small network, which must be nobody.
        condition = random.choice(("level=province", "level=city", "region=31", "region=32", f"parent={origin}"))
        return condition if random.random() < 0.5 else f"{condition},{random.choice(others)}"

    def _settings(self) -> NodeSettings:
        random = self.part("settings")
        return NodeSettings(
            heartbeat_s=float(random.choice((20, 30, 60, 120))),
            registry_refresh_s=float(random.choice((30, 60, 120, 300))),
            retry_cap_s=float(random.choice((30, 120, 300))),
            links_further=random.choice((0, 1, 8)),
        )

    def _workload(self) -> Workload:
        random = self.part("workload")
        erasures = random.randint(0, self.events // 8)
        changes = random.choice((0, 0, 1, 3, self.events // 12))
        an_hour = 60.0 / self.minutes
        lists = self.part("work on lists")
        return Workload(
            batches=round((self.events - erasures - changes) * an_hour, 3),
            records=(2, 6) if self.is_loaded else (1, random.choice((3, 8, 20))),
            padding_bytes=(4_000, 12_000) if self.is_loaded else (0, random.choice((0, 100, 600))),
            revised=random.choice((0.0, 0.2, 0.4)),
            repeated=random.choice((0.0, 0.1, 0.3)),
            erasures=round(erasures * an_hour, 3),
            audience_changes=round(changes * an_hour, 3),
            list_changes=round(lists.choice((4, 8, 16)) * an_hour, 3),
            list_operations=(1, lists.choice((1, 3, 6))),
            list_exits=lists.choice((0.2, 0.4)),
            list_audience_changes=round(lists.choice((0, 0, 1, 3)) * an_hour, 3),
            checks=round(lists.choice((15, 40)) * an_hour, 3),
        )

    # -- what is always there ----------------------------------------------------------------------------------

    def _network(self) -> LinkOptions:
        random = self.part("network")
        bandwidth = int(LOAD * self.events / self.minutes) if self.is_loaded else 0
        roads = _roads(random, random.random() < 0.75, self.is_loaded)
        return LinkOptions.model_validate({"bytes_per_s": bandwidth} | roads)

    def _links(self) -> list[LinkRule]:
        random = self.part("links")
        if self.is_loaded or random.random() < 0.8:
            return []
        one, other = random.sample(self.ids, 2)
        between = {"between": [one], "and_": [random.choice((other, "any"))]}
        return [LinkRule.model_validate(between | _roads(random, True, False))]

    def _disk(self) -> DiskOptions:
        random = self.part("disk")
        latency = random.choice(((0.2, 10.0), (0.2, 10.0), (1.0, 60.0)))
        if random.random() < 0.6:
            return DiskOptions(latency_ms=latency)
        shares = _some(random, 0.5, {"fail": 0.01, "fail_persisted": 0.01, "crash_before": 0.002, "crash_after": 0.01})
        return DiskOptions(latency_ms=latency, **shares)

    def _clocks(self) -> ClockOptions:
        random = self.part("clocks")
        return ClockOptions(skew_s=random.choice((0.0, 2.0, 20.0, 100.0)), drift_ppm=random.choice((0.0, 50.0, 300.0)))

    # -- what happens ------------------------------------------------------------------------------------------

    def _faults(self) -> dict[str, dict[str, object]]:
        """The rules by their kinds, at most one of each."""
        random = self.part("faults")
        appetite = random.choice(APPETITES)
        drawn = [(name, random.random() < appetite * kind.weight) for name, kind in _KINDS.items()]
        return {name: self._fault(name) for name, is_there in drawn if is_there}

    def _fault(self, name: str) -> dict[str, object]:
        random, kind = self.part(name), _KINDS[name]
        times = self._times(random, kind.most)
        nodes = [random.choice(self.ids)] if random.random() < 0.25 else []
        # A moment, minutes, or up to half of the run.
        lasts_s = random.choice(((0.5, 15.0), (5.0, 120.0), (60.0, self.minutes * 30.0)))
        return {"kind": name, **times, "nodes": nodes, "lasts_s": lasts_s, **kind.more(self, random)}

    def _times(self, random: Random, most: int) -> dict[str, float]:
        """One time, or so many at random as are drawn."""
        if random.random() < 0.2:
            return {"at_minute": round(random.uniform(0.2, 0.9) * self.minutes, 2)}
        return {"each_hour": round(random.randint(1, most) * 60.0 / self.minutes, 3)}


def _node(node: str, ids: Sequence[str], dials_out: bool = False) -> NodeTemplate:
    """A node below the nearest node above it that is there."""
    above = ABOVE.get(node, "")
    while above and above not in ids:
        above = ABOVE.get(above, "")
    return NodeTemplate.model_validate({"id": node, "level": LEVELS[node], "parent": above, "dials_out": dials_out})


def _roads(random: Random, is_rough: bool, is_loaded: bool) -> dict[str, object]:
    """Options of links without their bandwidth; what is held back for minutes would hide a load that does it."""
    found: dict[str, object] = {
        "latency_ms": random.choice(((1.0, 10.0), (2.0, 80.0), (20.0, 400.0))),
        "slow_share": random.choice((0.0, 0.01, 0.05)),
    }
    if is_rough:
        found |= _some(random, 0.6, {"reset": 0.01, "lost_answer": 0.04, "duplicate": 0.06})
        found |= {} if is_loaded else _some(random, 0.4, {"stall": 0.003})
    return found


def _some(random: Random, probability: float, most: Mapping[str, float]) -> dict[str, float]:
    """Some of the options, each with its probability, and up to its largest share."""
    drawn = [(name, share, random.random() < probability, random.random()) for name, share in most.items()]
    return {name: round(share * (0.1 + 0.9 * part), 5) for name, share, is_there, part in drawn if is_there}


# -- kinds of faults -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """How likely a kind of fault is, how often it comes in a run at most, and what else is drawn for it."""

    weight: float = 0.8
    most: int = 3
    more: Callable[[_Swarm, Random], dict[str, object]] = lambda _swarm, _random: {}


def _restore(swarm: _Swarm, random: Random) -> dict[str, object]:
    age = random.choice(((5.0, 30.0), (30.0, 300.0), (60.0, swarm.minutes * 30.0)))
    return {"age_s": age, "sidecar": random.choice(("kept", "lost"))}


def _partition(_: _Swarm, random: Random) -> dict[str, object]:
    return {"one_way": random.random() < 0.4}


def _slow(_: _Swarm, random: Random) -> dict[str, object]:
    return {"times": random.choice((10.0, 50.0, 500.0))}


def _clock_step(_: _Swarm, random: Random) -> dict[str, object]:
    return {"by_s": random.choice(((-30.0, 30.0), (-400.0, 400.0), (-4000.0, 4000.0)))}


def _suspend(swarm: _Swarm, _: Random) -> dict[str, object]:
    return {"lasts_s": (30.0, swarm.minutes * 20.0)}


def _rotate_key(_: _Swarm, random: Random) -> dict[str, object]:
    return {"revoke": random.random() < 0.3}


def _equivocate(swarm: _Swarm, _: Random) -> dict[str, object]:
    return {"nodes": [swarm.dishonest], "lasts_s": (60.0, swarm.minutes * 40.0)}


def _lie(swarm: _Swarm, random: Random) -> dict[str, object]:
    how = random.choice(("any", "any", "withhold", "re-encode", "replay", "fake-erasure", "false-heads", "forge"))
    return {"how": how, "nodes": [swarm.dishonest], "lasts_s": (60.0, swarm.minutes * 40.0)}


def _registry(_: _Swarm, random: Random) -> dict[str, object]:
    how = random.choice(("any", "unreachable", "rolled-back", "frozen", "expired", "two-faced"))
    return {"how": how, "nodes": []}


_KINDS = {
    "crash": _Kind(1.5, 5),
    "restore": _Kind(1.2, 2, _restore),
    "lost_on_crash": _Kind(1.2),
    "disk_full": _Kind(),
    "partition": _Kind(1.5, 4, _partition),
    "slow": _Kind(more=_slow),
    "clock_step": _Kind(more=_clock_step),
    "suspend": _Kind(1.0, 2, _suspend),
    "rotate_key": _Kind(most=2, more=_rotate_key),
    "equivocate": _Kind(1.0, 1, _equivocate),
    "lie": _Kind(1.5, 4, _lie),
    "registry": _Kind(1.2, more=_registry),
}


# -- real places ---------------------------------------------------------------------------------------------


def thirty() -> Scenario:
    """Thirty nodes of five levels and an hour in which everything that can happen does."""
    ids = ["national", "yrd", "310000", "320000", "330000"]
    ids += [*DISTRICTS["310000"][:9], *CITIES["320000"][:8], *CITIES["330000"][:8]]
    return _real("thirty nodes, an hour, every kind of fault", ids, heartbeat_s=60.0, batches=240.0)


def yangtze_delta() -> Scenario:
    """The Yangtze Delta: 130 nodes, national, region, four provinces, 40 cities and 84 districts, with faults."""
    ids = ["national", "yrd", *PROVINCES]
    for below in (*CITIES.values(), *DISTRICTS.values()):
        ids += below
    return _real(
        "the Yangtze Delta: 130 nodes, an hour, every kind of fault",
        ids,
        heartbeat_s=300.0,
        batches=400.0,
        idle=160_000,
    )


def _real(name: str, ids: Sequence[str], heartbeat_s: float, batches: float, idle: int = 65_536) -> Scenario:
    """idle: where many read the same lists, the last receipts of each still go round when all have arrived."""
    return Scenario(
        name=name,
        nodes=[_node(node, ids) for node in ids],
        channels=[channel for node in ids for channel in _real_channels(node)],
        settings=NodeSettings(heartbeat_s=heartbeat_s, registry_refresh_s=600.0, links_further=2),
        minutes=60.0,
        settle_minutes=60.0,
        workload=Workload(batches=batches, erasures=20.0, audience_changes=4.0),
        network=LinkOptions(reset=0.0005, lost_answer=0.002, duplicate=0.002),
        disk=DiskOptions(fail=0.0002, fail_persisted=0.0002, crash_after=0.00005),
        faults=_real_faults(ids),
        expect=Expectations(idle_bytes=idle),
    )


def _real_channels(node: str) -> list[Channel]:
    """Lists for everyone below, in the control lane; registrations for the nodes above, children and the region."""
    level = LEVELS[node]
    if level in ("national", "region"):
        return [Channel(origin=node, name="lists", audience="everyone", priority="control")]
    readers = [f"parent={node}", ABOVE[node]]
    if level == "province":
        lists = Channel(origin=node, name="lists", audience=f"region={node[:2]},yrd,national", priority="control")
        return [lists, Channel(origin=node, audience="level=province,yrd,national")]
    return [Channel(origin=node, audience=",".join([*readers, *(["yrd"] if level == "city" else [])]))]


def _real_faults(ids: Sequence[str]) -> list[AnyFault]:
    liar, forker = ids[-1], ids[-2]
    return [
        Crash(kind="crash", each_hour=12.0),
        Restore(kind="restore", each_hour=2.0, age_s=(60.0, 1200.0)),
        Restore(kind="restore", each_hour=1.0, age_s=(60.0, 1200.0), sidecar="lost"),
        LostOnCrash(kind="lost_on_crash", each_hour=3.0),
        DiskFull(kind="disk_full", each_hour=3.0),
        Partition(kind="partition", each_hour=4.0),
        Partition(kind="partition", each_hour=2.0, one_way=True),
        Slow(kind="slow", each_hour=4.0),
        ClockStep(kind="clock_step", each_hour=3.0),
        Suspend(kind="suspend", at_minute=20.0, nodes=[ids[-3]], lasts_s=(300.0, 600.0)),
        RotateKey(kind="rotate_key", each_hour=2.0),
        RotateKey(kind="rotate_key", at_minute=30.0, nodes=[ids[-4]], revoke=True),
        Equivocate(kind="equivocate", at_minute=25.0, nodes=[forker], lasts_s=(300.0, 600.0)),
        Lie(kind="lie", each_hour=4.0, nodes=[liar], lasts_s=(120.0, 600.0)),
        RegistryFault(kind="registry", each_hour=3.0, lasts_s=(60.0, 600.0)),
    ]
