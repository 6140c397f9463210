"""What can go wrong with joint lists: their types, entries and changes, and where subjects are checked against them.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
OPERATOR, so there is one table to look codes up in.
"""

LIST_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "LIST_ENTRY_UNKNOWN": (
        "NOT_FOUND",
        "there is no list entry {entry} here",
        "you",
        "see `xinqiao list show LIST`",
    ),
    "LIST_UNKNOWN": ("NOT_FOUND", "there is no list {list} here", "you", "see `xinqiao list show`"),
}
