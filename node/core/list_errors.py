"""What can go wrong with joint lists: their types, entries and changes, and where subjects are checked against them.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
OPERATOR, so there is one table to look codes up in.
"""

LIST_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "LIST_AUTHORITY": (
        "PERMISSION_DENIED",
        "{node} may not speak for {authority}, and only the determining authority keeps a list ({rule}; {article})",
        "{node}",
        "correct `authority`, or have the officers of the registry list it in the descriptor of {node}",
    ),
    "LIST_BASIS": (
        "INVALID_ARGUMENT",
        "the list {list} names no law, regulation or policy that it rests on, with its article ({rule}; {article})",
        "the determining authority",
        "fill in `legal_basis`; a list that has none may not exist",
    ),
    "LIST_CONDITIONS": (
        "INVALID_ARGUMENT",
        "the list {list} does not say its {key}, which are published with it ({rule}; {article})",
        "the determining authority",
        "fill in `{key}` in the words of the law",
    ),
    "LIST_DIGEST": (
        "FAILED_PRECONDITION",
        "the members of {channel} here are not those that {origin} has signed, from entry {epoch}/{index} on",
        "you",
        "install the newest version; if they differ still, tell {origin}: till then the list confirms nothing",
    ),
    "LIST_ENTRY_UNKNOWN": (
        "NOT_FOUND",
        "there is no list entry {entry} here",
        "you",
        "see `xinqiao list show LIST`",
    ),
    "LIST_FIELD": (
        "INVALID_ARGUMENT",
        "the definition of the list cannot be used: {key}: {detail}",
        "you",
        "correct it and run `xinqiao list define` again; nothing was changed",
    ),
    "LIST_KIND": (
        "FAILED_PRECONDITION",
        "{list} is a {kind} list, and stays one: its entries were decided as such",
        "you",
        "define a list of the other kind under another code",
    ),
    "LIST_LATE": (
        "FAILED_PRECONDITION",
        "{count} of {total} nodes have owed entries of {list} since {since}: {nodes}; removals they lack: {removals}",
        "you",
        "see `xinqiao list delivery {list}` for each node's reason",
    ),
    "LIST_LATE_BELOW": (
        "FAILED_PRECONDITION",
        "{count} of {total} nodes owe entries of {list}, from below, since {since}: {nodes}; removals: {removals}",
        "{origin}",
        "see `xinqiao list delivery {list}`, and ask {origin} what it does about it",
    ),
    "LIST_NOT_OURS": (
        "PERMISSION_DENIED",
        "{list} is determined at {origin}: nobody else puts anybody on it or takes anybody off ({rule}; {article})",
        "{origin}",
        "ask {origin} for the change; this node is {node}",
    ),
    "LIST_UNKNOWN": ("NOT_FOUND", "there is no list {list} here", "you", "see `xinqiao list show`"),
    "MATTERS_UNKNOWN": (
        "INVALID_ARGUMENT",
        "there is no edition {version} of the matters here",
        "you",
        "choose one of {known}",
    ),
    "MEASURES_UNKNOWN": (
        "INVALID_ARGUMENT",
        "there is no edition {version} of the measures here",
        "you",
        "choose one of {known}",
    ),
}
