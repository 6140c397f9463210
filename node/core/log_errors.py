"""What can be wrong with an entry, and with whatever else is said of a log.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
PEER, so there is one table to look codes up in.
"""

LOG_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "CHANNELS_LIMIT": (
        "RESOURCE_EXHAUSTED",
        "{origin} writes {limit} logs here, which is the limit; {channel} is not begun",
        "{origin}",
        "{origin} must write into the channels it has",
    ),
    "ENTRY_ABOVE_CUT": (
        "FAILED_PRECONDITION",
        "{channel} epoch {epoch} is cut at {size}; entry {index} lies above it",
        "{origin}",
        "{origin} must be reinstated and go on in a new epoch",
    ),
    "ENTRY_BODY": (
        "INVALID_ARGUMENT",
        "the body of {channel} {epoch}/{index} does not match its signed root: {detail}",
        "the sender",
        "the body is fetched from another holder",
    ),
    "ENTRY_EPOCH": (
        "FAILED_PRECONDITION",
        "{channel}: epoch {epoch} is not open here ({detail})",
        "the sender",
        "the sender must send the epochs in order",
    ),
    "ENTRY_FUTURE": (
        "FAILED_PRECONDITION",
        "{channel} {epoch}/{index} is dated later than the clock of this node; its records are answered from then on",
        "{origin}",
        "compare this clock with others; if it is right, {origin} must correct its own and publish the rows again",
    ),
    "ENTRY_HEADER": (
        "INVALID_ARGUMENT",
        "the header of {channel} {epoch}/{index} contradicts itself: {detail}",
        "{origin}",
        "{origin} must correct its software",
    ),
    "ENTRY_INDEX": (
        "FAILED_PRECONDITION",
        "{channel} epoch {epoch}: entry {index} arrived, {size} is due",
        "the sender",
        "the sender sends from {size} on",
    ),
    "ENTRY_LOST": (
        "DATA_LOSS",
        "{count} records of {channel} {epoch}/{index} are lost: no member can give them back; all count them as erased",
        "you",
        "publish these rows again from their source",
    ),
    "ENTRY_NETWORK": (
        "INVALID_ARGUMENT",
        "the entry belongs to the network {found}, this is {network}",
        "the sender",
        "the sender must use the key of its own network",
    ),
    "ENTRY_ORIGIN": (
        "PERMISSION_DENIED",
        "{origin} may not write {channel}: {detail}",
        "{origin}",
        "{origin} must ask the officers of the registry",
    ),
    "ENTRY_OTHER_HEAD": (
        "FAILED_PRECONDITION",
        "{channel} epoch {epoch}: these {size} entries are not those that {origin} or its cut stands for",
        "the sender",
        "the entries are fetched from another holder; where all hold these, {origin} must explain them",
    ),
    "ENTRY_PREV_ROOT": (
        "FAILED_PRECONDITION",
        "{channel} epoch {epoch}: entry {index} continues another history",
        "{origin}",
        "{origin} must explain two histories; the proof is kept, see `xinqiao status`",
    ),
    "ENTRY_SIGNATURE": (
        "UNAUTHENTICATED",
        "{channel} {epoch}/{index} bears no signature by an accepted key of {origin}",
        "{origin}",
        "{origin} must sign with a key the registry lists as active",
    ),
    "ENTRY_SIZE": (
        "RESOURCE_EXHAUSTED",
        "{what} has {found}, the limit is {limit}",
        "the sender",
        "the sender must send smaller entries",
    ),
    "ENTRY_TOO_EARLY": (
        "FAILED_PRECONDITION",
        "{channel} has no cut yet; {origin} is {status}",
        "the registry's officers",
        "the officers must publish a cut",
    ),
    "ENTRY_UNCONFIRMED": (
        "FAILED_PRECONDITION",
        "{channel} {epoch}/{index} bears a key no longer active; nothing shows that it leads to the history of {size}",
        "nobody",
        "it is fetched together with the proof",
    ),
    "EQUIVOCATION": (
        "FAILED_PRECONDITION",
        "{origin} signed two histories of {channel} at {epoch}/{index}; nothing new of it is accepted",
        "the registry's officers",
        "the officers examine the proof and suspend {origin} with a cut",
    ),
    "EQUIVOCATION_UNPROVEN": (
        "INVALID_ARGUMENT",
        "the alleged equivocation proves nothing: {detail}",
        "the sender",
        "the sender must correct its software",
    ),
    "HISTORY_DISOWNED": (
        "FAILED_PRECONDITION",
        "what this node holds of {channel} epoch {epoch} is not what the officers have cut; it is not answered",
        "{origin}",
        "{origin} publishes it again in its next epoch",
    ),
    "STATUS_LOST": (
        "DATA_LOSS",
        "what {channel} {epoch}/{index} ordered of records is not known any more: no member can give it back",
        "you",
        "order it again by your decisions: `xinqiao record erase`, `xinqiao record repair` and others",
    ),
}
