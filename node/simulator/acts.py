"""The acts of a plan: what operators do, and what is done to their nodes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from google.protobuf.message import Message

from node.core.audience import parse_audience
from node.core.errors import XinqiaoError
from node.core.record import Outcome
from node.core.state import Place
from node.pb import channel_pb2
from node.simulator.identity import Identity
from node.simulator.list_work import ListWork
from node.simulator.lying import Liar
from node.simulator.observing import Crossing, Violation
from node.simulator.plan import PlannedEvent
from node.simulator.process import Process
from node.simulator.registry_office import OFFICE
from node.simulator.registry_show import FAULTS, RegistryFaultKind
from node.simulator.town import COPY, Town
from node.simulator.workload import ITEM, Register

TRY_AGAIN_S = 5.0
COPY_BATCHES = 3
APART_S = (20.0, 90.0)
"""How long the two histories of a fork are kept from each other, where they are."""
BETWEEN_S = (20.0, 90.0)
BETWEEN_BATCHES = 4
"""How long a liar stands between an origin and the others, and how much is written meanwhile."""
CHECKED_AFTER_START_S = (0.1, 0.1, 2.0, 2.0, 10.0, 10.0, 60.0)
"""How long officers wait, at most, before each of their checks at a node that has just started."""
FORGOTTEN_AFTER_S = 5.0
"""How long after an exit, at most, a node falls back to before it."""
READ_BY_ALL = 1.2
"""After so many intervals every node has read the registry once more."""


class Acts:
    """Carries a plan out. Everything that lasts ends when its time is over, or when peace is made.

    writes_at_faults: whether operators happen to write in the very moments at which faults strike.
    """

    def __init__(self, town: Town) -> None:
        self.writes_at_faults = True
        self._town = town
        self._registers: dict[str, Register] = {}
        self._channels: dict[str, list[str]] = {}
        self._silent: set[str] = set()
        self._liars: dict[tuple[str, str], Liar] = {}
        self._lying: dict[str, Liar] = {}
        self._suspended: set[str] = set()
        self._rotating: set[str] = set()
        self._under_way: list[asyncio.Task[Any]] = []
        self._resting: dict[asyncio.Task[Any] | None, asyncio.Timeout] = {}
        self._lists = ListWork(town, self._ask)
        town.network.alter = self._alter
        self._acts: dict[str, Callable[[PlannedEvent], Awaitable[Any]]] = {
            "create_channel": self._create_channel,
            "create_list": self._create_list,
            "change_list": self._change_list,
            "check": self._check,
            "publish": self._publish,
            "erase": self._erase,
            "set_audience": self._set_audience,
            "rotate_key": self._rotate_key,
            "suspend": self._suspend,
            "crash": self._crash,
            "backup": self._backup,
            "restore": self._restore,
            "disk_full": self._disk_full,
            "partition": self._partition,
            "slow": self._slow,
            "clock_step": self._clock_step,
            "equivocate": self._equivocate,
            "lie": self._lie,
            "registry": self._registry,
        }

    async def carry_out(self, plan: Sequence[PlannedEvent], until_s: float) -> None:
        """Begin every act at its time, and return when the time of the plan is over."""
        for event in sorted(plan):
            await self._until(event.at_ms / 1000)
            self.begin(event)
        await self._until(until_s)

    def begin(self, event: PlannedEvent) -> "asyncio.Task[Any]":
        """Begin an act now; what comes of it is known when the task is done."""
        task = asyncio.get_running_loop().create_task(self._do(event))
        self._under_way.append(task)
        return task

    async def make_peace(self) -> None:
        """End what lasts, and wait until every act has come to its end."""
        self._town.peace.set()
        self._town.settle()
        for act in self._under_way:  # which grows where an act begins another
            await act
        self._town.settle()

    async def reopen_restored(self) -> None:
        """What officers do where peace alone does not help a restored member: nobody has what it lost.

        They cut its logs where its peers' reports end, and open its next epoch.
        """
        town = self._town
        blocked = {label: instance.publishing.blocked for label, instance in town.instances().items()}
        restored = [label for label, error in blocked.items() if error is not None and error.code == "RESTORED"]
        if not restored:
            return
        for node in restored:
            town.trace.note("is cut and reopened", node)
            town.authority.suspend(node, "it was restored from a backup")
        town.authority.publish(town.now_ms())
        await asyncio.sleep(2 * town.refresh_s)
        for node in restored:
            town.authority.reinstate(node)
        town.authority.publish(town.now_ms())

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(at_s - asyncio.get_running_loop().time(), 0.0))

    async def _do(self, event: PlannedEvent) -> Any:
        told = dict(sorted(event.arguments.items()))
        self._town.trace.note(event.kind, event.node, **told)
        self._town.watcher.happened(event.kind, event.node, told)
        found = await self._acts[event.kind](event)
        self._town.watcher.happened(f"{event.kind} ends", event.node, told)
        return found

    async def _last(self, event: PlannedEvent, name: str = "for_ms") -> None:
        """Wait as long as an act lasts, or until there is peace."""
        await self._rest(_number(event, name) / 1000)

    async def _rest(self, seconds: float) -> None:
        act = asyncio.current_task()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds) as resting:
                self._resting[act] = resting
                await self._town.peace.wait()
        self._resting.pop(act, None)

    def end_early(self, act: "asyncio.Task[Any]") -> None:
        """End what an act waits for now, if it lasts."""
        resting = self._resting.get(act)
        if resting is not None:
            resting.reschedule(asyncio.get_running_loop().time())

    # -- what operators do --------------------------------------------------------------------------

    async def _ask(self, node: str, act: Callable[[Process], Awaitable[Any]]) -> tuple[Any, str]:
        """Let the operator of a node do something: the answer, or why there is none."""
        process = self._town.process_of(node)
        if process is None:
            return None, "it is down"
        task = process.spawn(_acted(act, process))
        await asyncio.wait([task])
        if task.cancelled():
            return None, "it was killed meanwhile"
        error = task.exception()
        if error is None:
            return task.result(), ""
        if isinstance(error, XinqiaoError):
            return None, error.code
        raise Violation("FAULT", node, f"an operator's command ended in {error!r}")

    async def _create_channel(self, event: PlannedEvent) -> None:
        manifest = channel_pb2.Manifest(
            title="登记信息",
            item=ITEM,
            audience=parse_audience(_text(event, "audience")),
            disclosure=channel_pb2.DISCLOSURE_CLASS_A,
            priority=_PRIORITIES[_text(event, "priority")],
        )
        name = _text(event, "channel").partition("/")[2]
        while True:
            _, why = await self._ask(event.node, lambda at: at.instance.publishing.create_channel(name, manifest))
            if why in ("", "CHANNEL_EXISTS"):
                self._channels.setdefault(event.node, []).append(_text(event, "channel"))
                return
            await asyncio.sleep(TRY_AGAIN_S)

    async def _create_list(self, event: PlannedEvent) -> None:
        while True:
            why = await self._lists.define(event)
            if not why:
                self._channels.setdefault(event.node, []).append(_text(event, "channel"))
                return
            await asyncio.sleep(TRY_AGAIN_S)

    async def _change_list(self, event: PlannedEvent) -> None:
        channel, random = _text(event, "channel"), Random(f"change {event.arguments['seed']}")
        if channel not in self._silent:
            operations, exits = (int(_number(event, name)) for name in ("operations", "exits"))
            await self._lists.change(event.node, channel, random, operations, exits)

    async def _check(self, event: PlannedEvent) -> None:
        await self._lists.check(event.node, _text(event, "channel"), Random(f"check {event.arguments['pick']}"))

    async def _check_soon(self, event: PlannedEvent) -> None:
        """Let officers check subjects at a node that has just started: what it holds then may be of before."""
        random = self._town.random(f"checks {event.number}")
        lists = sorted(self._lists.lists)
        for most_s in CHECKED_AFTER_START_S if lists else ():
            await self._rest(random.uniform(0.0, most_s))
            await self._lists.check(event.node, random.choice(lists), random)

    def _begin_to_check(self, event: PlannedEvent) -> None:
        if self.writes_at_faults and self._lists.lists:
            self._under_way.append(asyncio.get_running_loop().create_task(self._check_soon(event)))

    async def _publish(self, event: PlannedEvent) -> tuple[Sequence[Outcome] | None, str]:
        counts = [int(_number(event, name)) for name in ("records", "revised", "repeated", "padding")]
        channel = _text(event, "channel")
        return await self._publish_batch(event.node, channel, Random(f"rows {event.arguments['seed']}"), counts)

    async def _publish_batch(
        self, label: str, channel: str, random: Random, counts: Sequence[int]
    ) -> tuple[Sequence[Outcome] | None, str]:
        """Publish a batch: the outcomes, or why there are none."""
        if channel in self._silent:
            return None, "its origin hides what it did"
        if channel in self._lists.lists:
            await self._lists.change(label, channel, random, counts[0], random.randint(0, counts[0]))
            return (), ""
        register = self._registers.setdefault(channel, Register(len(self._registers)))
        candidates = register.batch(random, *counts)
        outcomes, why = await self._ask(label, lambda at: at.instance.publishing.publish(channel, candidates))
        self._town.trace.note("published", label, channel=channel, rows=len(candidates), refused=why or "-")
        if outcomes is not None:
            self._town.watcher.published(label, channel, candidates, outcomes)
        return outcomes, why

    async def _write_on(self, node: str, random: Random, pauses_s: Sequence[float], channel: str = "") -> None:
        """Let an operator publish who has no idea of what happens: a batch after each pause, into any channel."""
        channels = [channel] if channel else self._channels.get(node, [])
        for pause_s in pauses_s if channels else ():
            await self._rest(pause_s)
            if not self._town.peace.is_set():
                await self._publish_batch(node, random.choice(channels), random, (random.randint(1, 3), 0, 0, 0))

    def _begin_to_write(self, event: PlannedEvent, pauses_s: Sequence[float], channel: str = "") -> None:
        if not self.writes_at_faults:
            return
        random = self._town.random(f"written {event.number}")
        writing = self._write_on(event.node, random, pauses_s, channel)
        self._under_way.append(asyncio.get_running_loop().create_task(writing))

    async def _erase(self, event: PlannedEvent) -> None:
        channel, pick = _text(event, "channel"), int(_number(event, "pick"))
        process = self._town.process_of(event.node) if channel not in self._silent else None
        records = list(process.instance.world.store.records(channel=channel)) if process is not None else []
        if not records:
            return
        place: Place = records[pick % len(records)].place
        _, why = await self._ask(
            event.node, lambda at: at.instance.publishing.erase(channel, place, "simulated decision", "simulated")
        )
        if not why:
            self._town.watcher.erased(event.node, channel, f"{place.epoch}/{place.index}/{place.position}")

    async def _set_audience(self, event: PlannedEvent) -> None:
        audience = parse_audience(_text(event, "audience"))
        channel = _text(event, "channel")
        if channel not in self._silent:
            await self._ask(event.node, lambda at: at.instance.publishing.set_audience(channel, audience))

    async def _rotate_key(self, event: PlannedEvent) -> None:
        """The steps of a real rotation: a new key beside the old one, then in its place, then alone."""
        town, keys = self._town, self._town.machines[event.node].keys
        if event.node in self._rotating:
            return
        self._rotating.add(event.node)
        keys.append(keys[-1].introduce(town.now_ms()))
        self._list(keys[-1])
        await self._rest(2 * town.refresh_s)
        keys.append(keys[-1].switch())
        await self._rest(2 * town.refresh_s)
        revoke = bool(event.arguments.get("revoke", False))
        keys.append(keys[-1].end_others(town.now_ms(), revoke=revoke))
        if revoke and event.node not in self._suspended:
            await self._cut_with(keys[-1])
        else:
            self._list(keys[-1])
        self._rotating.discard(event.node)

    async def _cut_with(self, identity: Identity) -> None:
        """Revoke a key as officers must: what it has signed stays good up to a cut alone, and a new epoch begins."""
        town, node = self._town, identity.id
        self._suspended.add(node)
        town.trouble([node])
        town.authority.revise(identity)
        town.authority.suspend(node, "its key is revoked")
        town.authority.publish(town.now_ms())
        await self._rest(2 * town.refresh_s)
        town.authority.reinstate(node)
        town.authority.publish(town.now_ms())
        town.relieve([node])
        self._suspended.discard(node)

    def _list(self, identity: Identity) -> None:
        self._town.authority.revise(identity)
        self._town.authority.publish(self._town.now_ms())

    # -- what the officers do -----------------------------------------------------------------------

    async def _suspend(self, event: PlannedEvent) -> None:
        if event.node in self._suspended:
            return
        self._suspended.add(event.node)
        self._town.trouble([event.node])
        authority = self._town.authority
        authority.suspend(event.node, "simulated")
        authority.publish(self._town.now_ms())
        random = self._town.random(f"suspension {event.number}")
        if random.random() < 0.5:
            # It goes on until it hears of it, and so do those that have not heard either.
            self._begin_to_write(event, [random.uniform(0.0, self._town.refresh_s / 3) for _ in range(4)])
        await self._last(event)
        authority.reinstate(event.node)
        authority.publish(self._town.now_ms())
        self._town.relieve([event.node])
        self._suspended.discard(event.node)

    # -- what is done to machines -------------------------------------------------------------------

    async def _crash(self, event: PlannedEvent) -> None:
        machine = self._town.machines[event.node]
        if machine.process is None:
            return
        random = self._town.random(f"crash {event.number}")
        if self.writes_at_faults and random.random() < 0.5:
            # In the middle of a publication, or just after it.
            self._begin_to_write(event, [0.0])
            await asyncio.sleep(random.random() * random.choice((0.005, 0.03, 0.1)))
        machine.kill()
        await self._last(event, "down_ms")
        if machine.process is None:
            machine.start("crash")
            self._begin_to_check(event)

    async def _backup(self, event: PlannedEvent) -> None:
        self._town.machines[event.node].disk.backup(_text(event, "name"))

    async def _restore(self, event: PlannedEvent) -> None:
        machine = self._town.machines[event.node]
        if machine.process is None:
            return
        random = self._town.random(f"restore {event.number}")
        channel = random.choice([*self._channels.get(event.node, ()), ""])
        if channel and self.writes_at_faults:
            # What the backup does not have has just left this node.
            self._begin_to_write(event, [0.0], channel)
            await asyncio.sleep(random.uniform(0.0, 2.0))
        await self._take_somebody_off(event.node, random)
        machine.kill()
        await self._last(event, "down_ms")
        if machine.process is not None:
            return
        restored = machine.disk.restore(_text(event, "name"))
        if restored and event.arguments.get("sidecar") == "lost":
            machine.disk.lose_sidecar()
        machine.start("restore" if restored else "crash")
        self._begin_to_check(event)
        if channel:
            self._begin_to_write(event, [0.0, random.random(), random.uniform(0.0, 5.0)], channel)

    async def _take_somebody_off(self, node: str, random: Random) -> None:
        """Let officers elsewhere take somebody off a list that a node is about to forget, and let it hear of that."""
        lists = [channel for channel in sorted(self._lists.lists) if not channel.startswith(f"{node}/")]
        if lists and self.writes_at_faults:
            channel = random.choice(lists)
            await self._lists.change(channel.partition("/")[0], channel, random, 1, 1)
            await asyncio.sleep(random.uniform(0.0, FORGOTTEN_AFTER_S))

    async def _disk_full(self, event: PlannedEvent) -> None:
        machine = self._town.machines[event.node]
        self._town.trouble([event.node])
        machine.disk.full = True
        self._begin_to_write(event, [0.0])
        await self._last(event)
        machine.disk.full = False
        self._town.relieve([event.node])

    async def _partition(self, event: PlannedEvent) -> None:
        senders, receivers = _ids(event, "senders"), _ids(event, "receivers")
        # The registry is on one side, or is reached from both.
        side = self._town.random(f"partition {event.number}").choice(([OFFICE], [OFFICE], []))
        one_way = bool(event.arguments.get("one_way"))
        await self._apart(senders, [*receivers, *side], _number(event, "for_ms") / 1000, one_way=one_way)

    async def _apart(self, senders: Sequence[str], receivers: Sequence[str], seconds: float, *, one_way: bool) -> None:
        """Keep two sides from each other for some time."""
        town, sides = self._town, [*senders, *receivers]
        town.trouble(sides)
        tokens = [town.network.cut(senders, receivers)]
        if not one_way:
            tokens.append(town.network.cut(receivers, senders))
        await self._rest(seconds)
        for token in tokens:
            town.network.heal(token)
        town.relieve(sides)

    async def _slow(self, event: PlannedEvent) -> None:
        self._town.trouble([event.node])
        self._town.network.slow(event.node, _number(event, "times"))
        await self._last(event)
        self._town.network.normal(event.node)
        self._town.relieve([event.node])

    async def _clock_step(self, event: PlannedEvent) -> None:
        clock, by_ms = self._town.machines[event.node].clock, int(_number(event, "by_ms"))
        self._town.trouble([event.node])
        clock.step(by_ms)
        await self._last(event)
        clock.step(-by_ms)
        self._town.relieve([event.node])

    # -- lies ---------------------------------------------------------------------------------------

    async def _equivocate(self, event: PlannedEvent) -> None:
        shown = _ids(event, "visible_to")
        random = self._town.random(f"copy {event.number}")
        copied = self._town.copy(event.node, shown)
        if copied is None:
            return
        if random.random() < 0.7:
            self._keep_faces_apart(event.node, shown, random.uniform(*APART_S))
        channels = self._channels.get(event.node, [])
        # Either one entry in each history, and nothing any more; or several in one of them, and as many or less in the
        # other: what is equal in size, and what is not, must be told apart.
        hides = random.random() < 0.5
        batches = (1, 1) if hides else (COPY_BATCHES, random.randint(1, COPY_BATCHES))
        most, least = random.sample([copied.label, event.node], 2)
        for number in range(batches[0] if channels else 0):
            channel = random.choice(channels)
            await self._publish_batch(most, channel, random, (2, 0, 0, 0))
            if number < batches[1]:
                await self._publish_batch(least, channel, random, (2, 0, 0, 0))
        if hides:
            self._silent.update(channels)
        await self._last(event)
        self._town.network.discreet.discard(event.node)
        self._town.remove_copy(event.node)

    def _keep_faces_apart(self, node: str, shown: Sequence[str], seconds: float) -> None:
        """Let nobody compare before both histories are there, and show each member one of them alone."""
        self._town.network.discreet.add(node)
        others = [other for other in sorted(self._town.machines) if other not in (node, node + COPY, *shown)]
        apart = self._apart(shown, others, seconds, one_way=False)
        self._under_way.append(asyncio.get_running_loop().create_task(apart))

    async def _lie(self, event: PlannedEvent) -> None:
        at = (event.node, _text(event, "how"))
        if at not in self._liars:
            signer = self._town.machines[event.node].keys[0].signer
            self._liars[at] = Liar(at[1], self._town.random(f"lie {event.number}"), event.node, signer)
        self._lying[event.node] = self._liars[at]
        self._town.network.dishonest.add(event.node)
        self._under_way.append(asyncio.get_running_loop().create_task(self._stand_between(event)))
        await self._last(event)
        if self._lying.get(event.node) is self._liars[at]:
            del self._lying[event.node]
            self._town.network.dishonest.discard(event.node)

    async def _stand_between(self, event: PlannedEvent) -> None:
        """Let others write and be heard through the liar alone: elsewhere nobody asks a liar for much."""
        town, random = self._town, self._town.random(f"between {event.number}")
        origins = [node for node in sorted(self._channels) if node != event.node]
        left_s = _number(event, "for_ms") / 1000
        while origins and self.writes_at_faults and left_s > BETWEEN_S[0] and not town.peace.is_set():
            origin, seconds = random.choice(origins), min(random.uniform(*BETWEEN_S), left_s)
            others = [node for node in sorted(town.machines) if node not in (origin, event.node)]
            writing = self._write_on(origin, random, [seconds / (BETWEEN_BATCHES + 1)] * BETWEEN_BATCHES)
            self._under_way.append(asyncio.get_running_loop().create_task(writing))
            await self._apart([origin], others, seconds, one_way=False)
            await self._rest(seconds)
            left_s -= 2 * seconds

    def _alter(self, crossing: Crossing) -> Message | None:
        """What leaves a liar as it wants it; what reaches one that ever lies, it remembers."""
        for (node, _), liar in self._liars.items():
            if node == crossing.receiver:
                liar.alter(crossing)
        liar_now = self._lying.get(crossing.sender)
        return liar_now.alter(crossing) if liar_now is not None else crossing.message

    async def _registry(self, event: PlannedEvent) -> None:
        nodes = _ids(event, "nodes")
        self._town.trouble(nodes)
        lasts_s = _number(event, "for_ms") / 1000
        if _fault(event) == "rolled-back":
            # Whoever is to be shown what was before must have seen what is.
            self._town.authority.publish(self._town.now_ms())
            await self._rest(READ_BY_ALL * self._town.refresh_s)
            lasts_s = max(lasts_s, READ_BY_ALL * self._town.refresh_s)
            self._keep_from_all(event, lasts_s)
        self._town.office.show.set_fault(_fault(event), nodes, self._town.now_ms())
        await self._rest(lasts_s)
        self._town.office.show.clear(nodes, self._town.now_ms())
        self._town.relieve(nodes)

    def _keep_from_all(self, event: PlannedEvent, seconds: float) -> None:
        """Whoever shows somebody an old registry keeps others, who would show the new one, away from it."""
        if not self.writes_at_faults:
            return
        victim = self._town.random(f"victim {event.number}").choice(_ids(event, "nodes"))
        others = [node for node in sorted(self._town.machines) if node != victim]
        apart = self._apart([victim], others, seconds, one_way=False)
        self._under_way.append(asyncio.get_running_loop().create_task(apart))


_PRIORITIES = {"bulk": channel_pb2.PRIORITY_BULK, "control": channel_pb2.PRIORITY_CONTROL}


async def _acted(act: Callable[[Process], Awaitable[Any]], process: Process) -> Any:
    # Begun in its task and not before: a process may be killed in between, and then there is nothing to wait for.
    return await act(process)


def _text(event: PlannedEvent, name: str) -> str:
    return str(event.arguments[name])


def _number(event: PlannedEvent, name: str) -> float:
    found = event.arguments[name]
    assert isinstance(found, int | float)
    return found


def _fault(event: PlannedEvent) -> RegistryFaultKind:
    return next(fault for fault in FAULTS if fault == event.arguments["how"])


def _ids(event: PlannedEvent, name: str) -> list[str]:
    found = event.arguments[name]
    assert isinstance(found, list)
    return found
