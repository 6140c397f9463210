"""What can go wrong with a database server, which other people look after.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
LOCAL, so there is one table to look codes up in.
"""

_SERVER = "the administrator of the database server"

DATABASE_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "DATABASE_ACCESS": (
        "FAILED_PRECONDITION",
        "the server does not let this node into {database}: {detail}",
        _SERVER,
        "grant it there, or correct `database` and `database_password_file` in the settings; nothing was changed",
    ),
    "DATABASE_BUSY": (
        "ABORTED",
        "another session stood in the way in {database}: {detail}",
        _SERVER,
        "end that session: nobody but the node should work in this database; then run the command again",
    ),
    "DATABASE_CHANGED": (
        "UNAVAILABLE",
        "{database} is not the history that this node began with: {detail}",
        _SERVER,
        "put the right server back, unless that was meant: the node starts over and compares what it has signed",
    ),
    "DATABASE_IN_USE": (
        "FAILED_PRECONDITION",
        "another process works with {database}: {detail}",
        "you",
        "stop the other node, or give each node a database of its own; nothing was changed",
    ),
    "DATABASE_LOST": (
        "UNAVAILABLE",
        "{database} does not answer: {detail}",
        _SERVER,
        "start the server: a node that serves goes on by itself; any other command is run again, nothing was changed",
    ),
    "DATABASE_OTHER": (
        "FAILED_PRECONDITION",
        "{database} is not the database of this home: {detail}",
        "you",
        "correct `database` in the settings; if it is the one that is meant, write its identity into {file}",
    ),
    "DATABASE_UNFIT": (
        "FAILED_PRECONDITION",
        "{database} cannot be used: {detail}",
        _SERVER,
        "let it connect straight to a primary of PostgreSQL 14 or newer, to a database in UTF8; nothing was changed",
    ),
    "DATABASE_UNSURE": (
        "UNAVAILABLE",
        "{database} was lost while it committed: {detail}",
        "nobody",
        "run the command again: what was kept is found, and not done twice",
    ),
}
