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
from node.simulator.lying import Liar
from node.simulator.observing import Crossing, Violation
from node.simulator.plan import PlannedEvent
from node.simulator.process import Process
from node.simulator.registry_show import FAULTS, RegistryFaultKind
from node.simulator.town import Town
from node.simulator.workload import ITEM, Register

TRY_AGAIN_S = 5.0
COPY_BATCHES = 3


class Acts:
    """Carries a plan out. Everything that lasts ends when its time is over, or when peace is made."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._registers: dict[str, Register] = {}
        self._liars: dict[tuple[str, str], Liar] = {}
        self._lying: dict[str, Liar] = {}
        self._suspended: set[str] = set()
        self._rotating: set[str] = set()
        self._under_way: list[asyncio.Task[Any]] = []
        town.network.alter = self._alter
        self._acts: dict[str, Callable[[PlannedEvent], Awaitable[Any]]] = {
            "create_channel": self._create_channel,
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
        await asyncio.gather(*self._under_way)
        self._town.settle()

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
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._town.peace.wait()

    # -- what operators do --------------------------------------------------------------------------

    async def _ask(self, node: str, act: Callable[[Process], Awaitable[Any]]) -> tuple[Any, str]:
        """Let the operator of a node do something: the answer, or why there is none."""
        process = self._town.process_of(node)
        if process is None:
            return None, "it is down"
        task = process.spawn(_awaited(act(process)))
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
                return
            await asyncio.sleep(TRY_AGAIN_S)

    async def _publish(self, event: PlannedEvent) -> tuple[Sequence[Outcome] | None, str]:
        counts = [int(_number(event, name)) for name in ("records", "revised", "repeated", "padding")]
        channel = _text(event, "channel")
        return await self._publish_batch(event.node, channel, Random(f"rows {event.arguments['seed']}"), counts)

    async def _publish_batch(
        self, label: str, channel: str, random: Random, counts: Sequence[int]
    ) -> tuple[Sequence[Outcome] | None, str]:
        """Publish a batch: the outcomes, or why there are none."""
        register = self._registers.setdefault(channel, Register(len(self._registers)))
        candidates = register.batch(random, *counts)
        outcomes, why = await self._ask(label, lambda at: at.instance.publishing.publish(channel, candidates))
        self._town.trace.note("published", label, channel=channel, rows=len(candidates), refused=why or "-")
        if outcomes is not None:
            self._town.watcher.published(label, channel, candidates, outcomes)
        return outcomes, why

    async def _erase(self, event: PlannedEvent) -> None:
        channel, pick = _text(event, "channel"), int(_number(event, "pick"))
        process = self._town.process_of(event.node)
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
        keys.append(keys[-1].end_others(town.now_ms(), revoke=bool(event.arguments.get("revoke", False))))
        self._list(keys[-1])
        self._rotating.discard(event.node)

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
        machine.kill()
        await self._last(event, "down_ms")
        if machine.process is None:
            machine.start("crash")

    async def _backup(self, event: PlannedEvent) -> None:
        self._town.machines[event.node].disk.backup(_text(event, "name"))

    async def _restore(self, event: PlannedEvent) -> None:
        machine = self._town.machines[event.node]
        if machine.process is None:
            return
        machine.kill()
        await self._last(event, "down_ms")
        if machine.process is not None:
            return
        restored = machine.disk.restore(_text(event, "name"))
        if restored and event.arguments.get("sidecar") == "lost":
            machine.disk.lose_sidecar()
        machine.start("restore" if restored else "crash")

    async def _disk_full(self, event: PlannedEvent) -> None:
        machine = self._town.machines[event.node]
        self._town.trouble([event.node])
        machine.disk.full = True
        await self._last(event)
        machine.disk.full = False
        self._town.relieve([event.node])

    async def _partition(self, event: PlannedEvent) -> None:
        senders, receivers = _ids(event, "senders"), _ids(event, "receivers")
        self._town.trouble([*senders, *receivers])
        tokens = [self._town.network.cut(senders, receivers)]
        if not event.arguments.get("one_way"):
            tokens.append(self._town.network.cut(receivers, senders))
        await self._last(event)
        for token in tokens:
            self._town.network.heal(token)
        self._town.relieve([*senders, *receivers])

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
        copied = self._town.copy(event.node, _ids(event, "visible_to"))
        if copied is None:
            return
        random = self._town.random(f"copy {event.number}")
        channels = sorted(channel for channel in self._registers if channel.startswith(f"{event.node}/"))
        for _ in range(COPY_BATCHES if channels else 0):
            channel = random.choice(channels)
            await self._publish_batch(copied.label, channel, random, (2, 0, 0, 0))
            await self._publish_batch(event.node, channel, random, (2, 0, 0, 0))
        await self._last(event)
        self._town.remove_copy(event.node)

    async def _lie(self, event: PlannedEvent) -> None:
        at = (event.node, _text(event, "how"))
        if at not in self._liars:
            signer = self._town.machines[event.node].keys[0].signer
            self._liars[at] = Liar(at[1], self._town.random(f"lie {event.number}"), event.node, signer)
        self._lying[event.node] = self._liars[at]
        self._town.network.dishonest.add(event.node)
        await self._last(event)
        if self._lying.get(event.node) is self._liars[at]:
            del self._lying[event.node]
            self._town.network.dishonest.discard(event.node)

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
        self._town.office.show.set_fault(_fault(event), nodes, self._town.now_ms())
        await self._last(event)
        self._town.office.show.clear(nodes, self._town.now_ms())
        self._town.relieve(nodes)


_PRIORITIES = {"bulk": channel_pb2.PRIORITY_BULK, "control": channel_pb2.PRIORITY_CONTROL}


async def _awaited(act: Awaitable[Any]) -> Any:
    return await act


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
