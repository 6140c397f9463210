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
    "QUERY_BATCH": (
        "INVALID_ARGUMENT",
        "{count} or more subjects were given, and one check takes 1 to {limit}",
        "you",
        "divide them; `xinqiao check --file` does so by itself",
    ),
    "QUERY_GROUND": (
        "INVALID_ARGUMENT",
        "the check states no legal ground, in one line of at most {limit} characters ({rule}; {article})",
        "the querying unit",
        "give it with --ground, e.g. the provision that has the unit look",
    ),
    "QUERY_LOG": (
        "DATA_LOSS",
        "the query log is broken at the entry {sequence}: {why}; the {sound} entries before it are sound",
        "you",
        "stop the node, keep the database as it is, and compare it with a backup",
    ),
    "QUERY_MATTER": (
        "PERMISSION_DENIED",
        "there is no published matter {matter!r}, and no other purpose allows a check: {known} ({rule}; {article})",
        "the querying unit",
        "choose a published matter, or have the officers of the registry publish it",
    ),
    "QUERY_OFFICER": (
        "PERMISSION_DENIED",
        "{officer!r} may not check anybody here: {why} ({rule}; {article})",
        "you",
        "see `xinqiao officer list`",
    ),
    "QUERY_SUBJECT": (
        "INVALID_ARGUMENT",
        "the subject is neither a unified social credit code nor a resident identity number",
        "you",
        "correct it; names are not looked up",
    ),
    "QUERY_UNIT": (
        "PERMISSION_DENIED",
        "the unit {unit} does not handle the matter {matter} ({rule}; {article})",
        "the querying unit",
        "give the unit's own code, or have the officers of the registry add it to the matter",
    ),
}
