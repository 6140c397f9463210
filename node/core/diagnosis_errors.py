"""What an examination of a node can find beside the refusals it meets.

Each row is code: (what is wrong, who must act, what to do). `errors.CODES` takes them in as the family LOCAL.
"""

DIAGNOSIS_ERRORS: dict[str, tuple[str, str, str]] = {
    "BODIES_MISSING": (
        "the contents of {count} entries of {channel} are not here yet",
        "nobody",
        "they are fetched from whoever has them; if it stays so: `xinqiao doctor --peer {origin}`",
    ),
    "CHANNEL_STALE": (
        "nothing has confirmed {channel} since {since}; its limit is {limit_s} s",
        "{origin}",
        "see whether its origin can be called: `xinqiao doctor --peer {origin}`",
    ),
    "DESCRIPTOR_PENDING": (
        "the newest descriptor of this node is {found}, the registry lists {listed}",
        "the officers",
        "an officer runs `xinqiao registry propose approve {node} --fingerprint {found} -o FILE`",
    ),
    "DISK_LOW": (
        "{free_mib} MiB are free under {home}; the database has {database_mib} MiB and grows by {growth_mib} MiB a day",
        "you",
        "free space, or move the home to a larger disk: `xinqiao stop`, then copy it whole",
    ),
    "DISK_SLOW": (
        "a durable transaction under {home} takes {commit_ms} ms, more than {limit_ms} ms",
        "you",
        "move the home to a faster disk, or find out what else writes to this one",
    ),
    "KEY_ENDS": (
        "the {kind} key {key} ends at {day}",
        "you",
        "run `xinqiao keys rotate {kind}` and have the officers approve it",
    ),
    "PEER_UNREACHABLE": (
        "{peer} does not answer a call at {address}: {detail}",
        "{peer}",
        "ask the operator of {peer} whether it serves at {address}, then run `xinqiao doctor --peer {peer}`",
    ),
    "RECEIPT_LATE": (
        "{node} has acknowledged {size} of {total} entries of {channel}; the next one waits since {since}",
        "{node}",
        "see whether it can be called: `xinqiao doctor --peer {node}`",
    ),
    "REGISTRY_ENDS": (
        "the registry's {role} expires at {day}",
        "the registry's officers",
        "they run `xinqiao registry propose renew {role} -o FILE`",
    ),
}
