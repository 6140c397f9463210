"""What can go wrong where officers of a node decide.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
OPERATOR, so there is one table to look codes up in.
"""

OFFICER_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "OFFICER_DISABLED": (
        "PERMISSION_DENIED",
        "the officer {name} is disabled: {because}",
        "another officer",
        "have another officer sign; see `xinqiao officer list`",
    ),
    "OFFICER_EXISTS": (
        "ALREADY_EXISTS",
        "this name or key is that of the officer {name} (key {key}), for ever",
        "you",
        "choose another name and another key; see `xinqiao officer list`",
    ),
    "OFFICER_NAME": (
        "INVALID_ARGUMENT",
        "{name!r} cannot be the name of an officer",
        "you",
        "use 1 to {limit} letters, digits, '.', '-' and '_', beginning with a letter or digit",
    ),
    "OFFICER_PASSPHRASE": (
        "FAILED_PRECONDITION",
        "the officer's key {file} does not open: wrong or missing passphrase",
        "the officer",
        "give it at the prompt, by --passphrase-file FILE or by --passphrase-fd NUMBER",
    ),
    "OFFICER_SIGNATURE": (
        "UNAUTHENTICATED",
        "the statement is not signed as its act needs: {detail}",
        "officers of this node",
        "have it signed with `xinqiao officer sign`; nothing was decided",
    ),
    "OFFICER_STATEMENT": (
        "INVALID_ARGUMENT",
        "the officer's statement is refused: {detail}",
        "officers of this node",
        "have it made and signed again; nothing was decided",
    ),
    "OFFICER_UNKNOWN": (
        "NOT_FOUND",
        "there is no officer {name} at this node; active: {known}",
        "you",
        "see `xinqiao officer list`; add one with `xinqiao officer add NAME`",
    ),
}
