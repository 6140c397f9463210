"""How the trust in the registry's word ages: fresh until it expires, stale for a grace period, then expired.

    FRESH     everything works
    STALE     exchange with known members goes on; only narrowing changes apply
    EXPIRED   reads are marked stale, nothing adverse takes effect any more

The numbers are those of node.ports.Stage. Nothing stops at once when every authority is lost.
"""

FRESH, STALE, EXPIRED = range(3)
DEFAULT_GRACE_MS = 72 * 3600 * 1000


def stage(expires_ms: int, now_ms: int, grace_ms: int = DEFAULT_GRACE_MS) -> int:
    """The stage at a time; all times in Unix ms, both bounds exclusive."""
    if now_ms < expires_ms:
        return FRESH
    return STALE if now_ms < expires_ms + grace_ms else EXPIRED
