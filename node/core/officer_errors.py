"""What can go wrong where officers of a node decide.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
OPERATOR, so there is one table to look codes up in.
"""

OFFICER_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "HOLD_BARRED": (
        "FAILED_PRECONDITION",
        "the held row {hold} cannot be published: {why}",
        "the source unit",
        "refuse it with `xinqiao holds refuse {hold}`, and have the row corrected and published again",
    ),
    "HOLD_NOTHING_PROPOSED": (
        "FAILED_PRECONDITION",
        "nothing is proposed that could be withdrawn",
        "you",
        "see `xinqiao holds list`",
    ),
    "HOLD_PROPOSED": (
        "FAILED_PRECONDITION",
        "the officer {officer} has proposed to {action} it",
        "another officer",
        "sign the same, or withdraw it first with `xinqiao holds withdraw`",
    ),
    "HOLD_SAME_OFFICER": (
        "PERMISSION_DENIED",
        "the officer {officer} has proposed this, and cannot review it",
        "another officer",
        "have another officer sign with --officer NAME",
    ),
    "HOLD_SETTLED": (
        "FAILED_PRECONDITION",
        "the held row {hold} waits no more: {standing}",
        "nobody",
        "see `xinqiao holds show {hold}`",
    ),
    "HOLD_SUPERSEDED": (
        "FAILED_PRECONDITION",
        "a later row took the place of the held row {hold}",
        "nobody",
        "see `xinqiao holds list`; nothing else is needed",
    ),
    "HOLD_UNKNOWN": ("NOT_FOUND", "there is no held row {hold} here", "you", "see `xinqiao holds list --all`"),
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
