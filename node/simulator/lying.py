"""A member that lies: it tampers with what it relays of other origins, and leaves its own channels alone."""

from random import Random

from google.protobuf.message import Message

from node.core.entry import origin_of
from node.core.envelope import SigningKey
from node.pb import exchange_service_pb2
from node.simulator.lies import FakeErasure, FalseHeads, Forge, ReEncode, Replay, Seen, Truth, Withhold
from node.simulator.observing import Crossing

LIES: dict[str, type[Truth]] = {
    "withhold": Withhold,
    "re-encode": ReEncode,
    "replay": Replay,
    "fake-erasure": FakeErasure,
    "false-heads": FalseHeads,
    "forge": Forge,
}
CALLS_KEPT = 1000


class Liar:
    """Alters a share of the messages of one node, in one way, or in any.

    signer is the node's own key, for lies that are signed; the key of nobody else is ever needed.
    """

    def __init__(
        self, how: str, random: Random, node: str, signer: SigningKey | None = None, share: float = 0.5
    ) -> None:
        self._random = random
        self._node = node
        self._share = share
        self._seen = Seen()
        kinds = list(LIES.values()) if how == "any" else [LIES[how]]
        self._lies = [kind(node, random, self._seen, signer) for kind in kinds]
        # Calls in which the rest of an entry does not travel, and those that asked for a proof over another's log.
        self._silent: dict[int, None] = {}
        self._asked: dict[int, None] = {}

    def alter(self, crossing: Crossing) -> Message | None:
        """What travels in the place of a message; the same object where nothing is changed, None for nothing.

        Of a message of somebody else the liar learns what it may play again later.
        """
        if crossing.sender != self._node:
            if crossing.receiver == self._node:
                self._learn(crossing)
            return crossing.message
        copy = type(crossing.message)()
        copy.CopyFrom(crossing.message)
        if not self._tell(crossing.call, copy):
            return None
        self._seen.note(crossing.message)
        return crossing.message if _same_bytes(copy, crossing.message) else copy

    def _learn(self, crossing: Crossing) -> None:
        message = crossing.message
        self._seen.note(message)
        if isinstance(message, exchange_service_pb2.GetConsistencyProofRequest):
            self._note_question(crossing.call, message.channel)

    def _note_question(self, call: int, channel: str) -> None:
        if origin_of(channel) != self._node:
            _note(self._asked, call)

    def _tell(self, call: int, message: Message) -> bool:
        """Change a message in place; False where it does not travel."""
        if isinstance(message, exchange_service_pb2.PushRequest | exchange_service_pb2.PullResponse):
            return self._frame(call, message.frame)
        if self._random.random() < self._share:
            self._say(call, self._random.choice(self._lies), message)
        return True

    def _say(self, call: int, lie: Truth, message: Message) -> None:
        if isinstance(message, exchange_service_pb2.HelloRequest | exchange_service_pb2.HelloResponse):
            lie.hello(message)
        elif isinstance(message, exchange_service_pb2.PutReceiptsRequest):
            lie.receipts(message.receipts)
        elif isinstance(message, exchange_service_pb2.PushResponse):
            if not lie.is_own(message.channel):
                lie.pushed(message)
        elif isinstance(message, exchange_service_pb2.GetConsistencyProofResponse) and call in self._asked:
            lie.proof(message.hashes)

    def _frame(self, call: int, frame: exchange_service_pb2.EntryFrame) -> bool:
        """An entry begins with its frame; what is left of one that was changed to end there does not travel."""
        if not frame.HasField("start"):
            return call not in self._silent
        self._silent.pop(call, None)
        is_lie = origin_of(frame.start.channel) != self._node and self._random.random() < self._share
        if not is_lie:
            return True
        continues = len(frame.data) < frame.start.encoded_bytes
        travels = self._random.choice(self._lies).entry(frame)
        if continues and (not travels or len(frame.data) >= frame.start.encoded_bytes):
            _note(self._silent, call)
        return travels


def _note(calls: dict[int, None], call: int) -> None:
    calls[call] = None
    if len(calls) > CALLS_KEPT:
        del calls[next(iter(calls))]


def _same_bytes(one: Message, other: Message) -> bool:
    return one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
