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
    "LIST_CHANGE": (
        "FAILED_PRECONDITION",
        "the change of the list cannot be used: {detail}",
        "you",
        "sign nothing; have it drafted again, see `xinqiao list pending`",
    ),
    "LIST_CHANGED": (
        "FAILED_PRECONDITION",
        "the entry has changed since {change} was drafted: what was signed is about how it stood before",
        "officers of this node",
        "look at the entry with `xinqiao list entry ENTRY`, and propose anew what is still to be done",
    ),
    "LIST_CHANGES_FULL": (
        "RESOURCE_EXHAUSTED",
        "{count} changes of lists wait for officers already, and there is no room for more",
        "officers of this node",
        "have them decided or withdrawn, see `xinqiao list pending`",
    ),
    "LIST_CHANGE_EXPIRED": (
        "FAILED_PRECONDITION",
        "nobody has approved the change {change} of {list} in {days} days: its content is gone",
        "officers of this node",
        "propose it anew if it is still to be done, see `xinqiao list pending --all`",
    ),
    "LIST_CHANGE_SETTLED": (
        "FAILED_PRECONDITION",
        "the change {change} cannot be decided so: {standing}",
        "nobody",
        "see `xinqiao list pending {change}`",
    ),
    "LIST_CHANGE_SIZE": (
        "RESOURCE_EXHAUSTED",
        "a change has at most {limit} entries",
        "you",
        "split the file and propose each part",
    ),
    "LIST_CHANGE_UNKNOWN": (
        "NOT_FOUND",
        "there is no change {change} of a list here",
        "you",
        "see `xinqiao list pending --all`",
    ),
    "LIST_CONDITIONS": (
        "INVALID_ARGUMENT",
        "the list {list} does not say its {key}, which are published with it ({rule}; {article})",
        "the determining authority",
        "fill in `{key}` in the words of the law",
    ),
    "LIST_CONFLICT": (
        "FAILED_PRECONDITION",
        (
            "the subject stands on the serious list {list} ({entry}), and nobody on one is on a red list"
            " ({rule}; {article})"
        ),
        "the determining authority",
        "leave the subject out until that entry has ended",
    ),
    "LIST_DATES": (
        "INVALID_ARGUMENT",
        "{column}: {detail}",
        "the determining authority",
        "correct the date as the decision has it",
    ),
    "LIST_DECISION": (
        "INVALID_ARGUMENT",
        "{column}: {detail}; nobody is listed without a written decision ({rule}; {article})",
        "the determining authority",
        "write what the decision says",
    ),
    "LIST_DIGEST": (
        "FAILED_PRECONDITION",
        "the members of {channel} here are not those that {origin} has signed, from entry {epoch}/{index} on",
        "you",
        "install the newest version; if they differ still, tell {origin}: till then the list confirms nothing",
    ),
    "LIST_DUPLICATE": (
        "ALREADY_EXISTS",
        "the subject stands on this list already by the same decision ({entry})",
        "nobody",
        "see `xinqiao list entry {entry}`; to change it, use `xinqiao list amend`",
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
        ("{count} of {total} nodes have owed entries of {list} since {since}: {nodes}; removals they lack: {removals}"),
        "you",
        "see `xinqiao list delivery {list}` for each node's reason",
    ),
    "LIST_LATE_BELOW": (
        "FAILED_PRECONDITION",
        "{count} of {total} nodes owe entries of {list}, from below, since {since}: {nodes}; removals: {removals}",
        "{origin}",
        "see `xinqiao list delivery {list}`, and ask {origin} what it does about it",
    ),
    "LIST_MEASURE": (
        "FAILED_PRECONDITION",
        "the measure {measure} is none of those of the list {list}: {allowed} ({rule}; {article})",
        "the determining authority",
        "attach only measures of the list, or define the list with it",
    ),
    "LIST_MEASURE_UNPUBLISHED": (
        "FAILED_PRECONDITION",
        "the measure {measure} does not stand in the published measures ({version}) ({rule}; {article})",
        "the determining authority",
        "leave it out: what is not published may not be carried out",
    ),
    "LIST_MINOR": (
        "FAILED_PRECONDITION",
        "the person was under 18 at the decision, and minors stand on no list ({rule}; {article})",
        "the determining authority",
        "leave the person out",
    ),
    "LIST_NOTICE": (
        "INVALID_ARGUMENT",
        "notice_served: {detail}; the subject is told of reasons and basis before the decision ({rule}; {article})",
        "the determining authority",
        "write the day on which the notice was served, or serve it and decide again",
    ),
    "LIST_NOT_OURS": (
        "PERMISSION_DENIED",
        "{list} is determined at {origin}: nobody else puts anybody on it or takes anybody off ({rule}; {article})",
        "{origin}",
        "ask {origin} for the change; this node is {node}",
    ),
    "LIST_OTHER_OFFICER": (
        "PERMISSION_DENIED",
        "the officer {proposer} has proposed this, and withdraws it himself; {officer} can refuse it",
        "you",
        "use `xinqiao list refuse`",
    ),
    "LIST_PERSON": (
        "FAILED_PRECONDITION",
        "the list {list} is public, and natural persons stand on no public list ({rule}; {article})",
        "the determining authority",
        "leave the person out, or put the person on a list of class B or C",
    ),
    "LIST_ROW_TWICE": (
        "INVALID_ARGUMENT",
        "the subject stands in row {row} already, with the same decision",
        "you",
        "take one of the two rows out",
    ),
    "LIST_SAME_OFFICER": (
        "PERMISSION_DENIED",
        "the officer {officer} has proposed this, and cannot decide about it",
        "another officer",
        "have another officer sign with --officer NAME",
    ),
    "LIST_STATE": (
        "FAILED_PRECONDITION",
        "the entry is {standing}: {action} cannot follow",
        "you",
        "see `xinqiao list entry {list}#{entry}`; a later decision is another entry",
    ),
    "LIST_UNFOLDED": (
        "FAILED_PRECONDITION",
        "not everything that was published on {list} has been read again yet",
        "nobody",
        "this node tries it again by itself; see `xinqiao channel show {list}`",
    ),
    "LIST_UNKNOWN": (
        "NOT_FOUND",
        "there is no list {list} here",
        "you",
        "see `xinqiao list show`",
    ),
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
    "QUERY_CLIENT": (
        "PERMISSION_DENIED",
        "{client} may not ask this through the query port: {why}",
        "you",
        "see `xinqiao client list`; `xinqiao client add` registers a system for what it may ask",
    ),
    "QUERY_CLIENTS": (
        "FAILED_PRECONDITION",
        "nobody may ask through the query port, as {file} cannot be used: {detail}",
        "you",
        "correct it, or take it away and register the systems anew with `xinqiao client add`",
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
