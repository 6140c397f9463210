"""What an examination of a node can find beside the refusals it meets.

Each row is code: (what is wrong, who must act, what to do). `errors.CODES` takes them in as the family LOCAL.
"""

DIAGNOSIS_ERRORS: dict[str, tuple[str, str, str]] = {
    "AUTHORITY_ENDS": (
        "{node} may speak for {authority} until {day}",
        "{node}",
        "where it goes on: its operator renews `authorities` in the settings, and the officers approve the descriptor",
    ),
    "BODIES_MISSING": (
        "the contents of {count} entries of {channel} are not here yet",
        "nobody",
        "they are fetched from whoever has them; if it stays so: `xinqiao doctor --peer {origin}`",
    ),
    "CHANNEL_ENDS": (
        "nothing has confirmed {channel} since {since}; at {day} its limit of {limit_s} s is over",
        "{origin}",
        "see whether its origin can be called: `xinqiao doctor --peer {origin}`",
    ),
    "CHANNEL_STALE": (
        "nothing has confirmed {channel} since {since}; its limit is {limit_s} s",
        "{origin}",
        "see whether its origin can be called: `xinqiao doctor --peer {origin}`",
    ),
    "CHANNEL_UNCONFIRMED": (
        "no heartbeat of {origin} has confirmed yet what is held of {channel}",
        "{origin}",
        "wait for one heartbeat; if it stays so: `xinqiao doctor --peer {origin}`",
    ),
    "DESCRIPTOR_PENDING": (
        "the newest descriptor of this node is {found}, the registry lists {listed}",
        "the officers",
        "an officer runs `xinqiao registry propose approve {node} --fingerprint {found} -o FILE`",
    ),
    "DISK_FILLS": (
        "{free_mib} MiB are free under {home}; at {growth_mib} MiB a day the disk is full about {day}",
        "you",
        "free space, or move the home to a larger disk: `xinqiao stop`, then copy it whole",
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
    "EDITION_BEGINS": (
        "{version}, the next edition of the {kind}, comes into force on {day}",
        "you",
        "have whoever prepares files read it: what the edition before took may be refused from then on",
    ),
    "KEY_ENDS": (
        "the {kind} key {key} ends at {day}",
        "you",
        "run `xinqiao keys rotate {kind}` and have the officers approve it",
    ),
    "PEER_CERTIFICATE": (
        "at {address} answers not {peer} but a certificate of {holder}, issued by {issuer}, with the key {found}",
        "{peer}",
        "if `xinqiao keys list` at {peer} does not name this key, let no device open the connection between you",
    ),
    "LINK_SILENT": (
        "{peer} has not been met since {since}",
        "{peer}",
        "see whether it can be called: `xinqiao doctor --peer {peer}`",
    ),
    "PEER_KEY_ENDS": (
        "the {kind} key {key} of {peer} ends at {day}, and the registry lists no next one",
        "{peer}",
        "ask its operator to run `xinqiao keys rotate {kind}`",
    ),
    "PEER_REGISTRY_OLD": (
        "{peer} holds the registry's timestamp {version}, the newest is {newest}; what it holds expires by {day}",
        "{peer}",
        "ask its operator to run `xinqiao doctor`: it reads no newer files of the registry",
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
    "RECORDS_END": (
        "up to {count} records of {channel} reach the end of their {what} in {month}",
        "{origin}",
        "see `xinqiao records --channel {channel}`: what has ended is no longer shown, its origin erases it",
    ),
    "REGISTRY_ENDS": (
        "the registry's {role} expires at {day}",
        "the registry's officers",
        "they run `xinqiao registry propose renew {role} -o FILE`",
    ),
    "REGISTRY_RENEWS": (
        "the registry's {role} is valid until {day}; the registry signs it again by itself before then",
        "nobody",
        "if the date stays as it is: see whether the registry serves, `xinqiao doctor`",
    ),
    "RULE_ENDS": (
        "a provision of {rule} in the rules {version} holds until {day}, and none of that rule follows it",
        "the registry's officers",
        "see `xinqiao rules show {rule}`; where the law goes on, they run `xinqiao registry propose rules FILE`",
    ),
    "TERM_ENDS": (
        "{channel}: {node} is to {what} by {day} ({rule}; {article})",
        "{node}",
        "see `xinqiao channel show {channel}` and `xinqiao rules show {rule}`",
    ),
    "HOLDS_EXPIRED": (
        "{channel}: {count} rows that a rule held were decided by nobody within {days} days, and are gone",
        "officers of this node",
        "publish them again if they are to be decided; see `xinqiao holds list --all`",
    ),
    "HOLDS_WAIT": (
        "{channel}: {count} rows wait for two officers, the oldest since {since}; undecided, it goes at {until}",
        "officers of this node",
        "see `xinqiao holds list` and `xinqiao holds show HOLD`, then release or refuse",
    ),
    "LIST_CHANGES_WAIT": (
        "{list}: {count} changes wait for another officer, the oldest since {since}; undecided, it goes at {until}",
        "officers of this node",
        "see `xinqiao list pending` and `xinqiao list pending CHANGE`, then approve or refuse",
    ),
    "TERM_OVER": (
        "{channel}: {node} was to {what} by {day} ({rule}; {article})",
        "{node}",
        "see `xinqiao channel show {channel}` and `xinqiao rules show {rule}`",
    ),
}
