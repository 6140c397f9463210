"""How often one address may call: token buckets, without a clock of their own."""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_network


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls at once, and so many a second in the long run."""

    burst: int
    per_second: float


class Buckets:
    """One bucket of tokens for each caller; the least recently seen callers are forgotten beyond a bound.

    A forgotten caller starts with a full bucket again. That gives an attacker with very many addresses nothing that
    the addresses do not give already.
    """

    def __init__(self, rate: Rate, callers_max: int = 10_000) -> None:
        self.rate = rate
        self.callers_max = callers_max
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, caller: str, now: int) -> float:
        """Take one token; returns 0, or the seconds to wait when there is none. Now in Unix ms."""
        tokens, since = self._buckets.pop(caller, (float(self.rate.burst), now))
        # A clock set back must neither fill nor drain.
        elapsed_s = max(0, now - since) / 1000
        tokens = min(self.rate.burst, tokens + elapsed_s * self.rate.per_second)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self.rate.per_second
        self._buckets[caller] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > self.callers_max:
            self._buckets.popitem(last=False)
        return wait_s


def caller_of(peer: str) -> str:
    """The address of a gRPC peer without its port; of IPv6 the /64, which one subscriber has whole.

    >>> caller_of("ipv4:192.0.2.7:40112")
    '192.0.2.7'
    >>> caller_of("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:40112")
    '2001:db8:1:2::'
    """
    kind, _, rest = peer.partition(":")
    if kind == "ipv4":
        return rest.rpartition(":")[0]
    if kind == "ipv6":
        address = rest.replace("%5B", "[").replace("%5D", "]").rpartition(":")[0].strip("[]")
        return str(ip_network(f"{address.partition('%')[0]}/64", strict=False).network_address)
    return peer
