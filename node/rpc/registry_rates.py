"""How often one address may call a port that asks for no certificate: token buckets without a clock of their own."""

from collections import OrderedDict
from ipaddress import ip_network


class TokenBuckets:
    """One bucket of tokens for each address; the least recently seen addresses are forgotten beyond a bound.

    A forgotten address starts with a full bucket, which gives a caller with very many addresses nothing that the
    addresses do not give already. Times in seconds that never go back.
    """

    def __init__(self, burst: int, per_second: float, max_addresses: int) -> None:
        self._burst = burst
        self._per_second = per_second
        self._max_addresses = max_addresses
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, now_s: float) -> float:
        """Take one token; 0.0 where there was one, else the seconds until there is."""
        tokens, since_s = self._buckets.pop(address, (float(self._burst), now_s))
        tokens = min(float(self._burst), tokens + max(0.0, now_s - since_s) * self._per_second)
        wait_s = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._per_second
        self._buckets[address] = (tokens if wait_s else tokens - 1.0, now_s)
        if len(self._buckets) > self._max_addresses:
            self._buckets.popitem(last=False)
        return wait_s


def address_of(peer: str) -> str:
    """The address in a gRPC peer name without its port; of IPv6 the /64, which one subscriber has whole.

    >>> address_of("ipv4:192.0.2.7:40112")
    '192.0.2.7'
    >>> address_of("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:40112")
    '2001:db8:1:2::/64'
    """
    kind, _, rest = peer.partition(":")
    host = rest.replace("%5B", "[").replace("%5D", "]").rpartition(":")[0].strip("[]").partition("%")[0]
    return host if kind == "ipv4" else str(ip_network(f"{host}/64", strict=False)) if kind == "ipv6" else peer
