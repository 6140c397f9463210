"""What can go wrong in the registry's own home and in its officers' ceremony.

Each row is code: (gRPC status, what is wrong, who must act, what to do). `errors.CODES` takes them in as the family
OPERATOR, so there is one table to look codes up in.
"""

CEREMONY_ERRORS: dict[str, tuple[str, str, str, str]] = {
    "FILE_ACCESS": (
        "FAILED_PRECONDITION",
        "{file} cannot be read or written: {detail}",
        "you",
        "check the path, the rights and the space left; what was done before stays done",
    ),
    "OFFICER_KEY": (
        "PERMISSION_DENIED",
        "the key {key} is not of an officer who signs {roles} in the network {network}",
        "you",
        "sign with the key whose public half the registry's `init` was given",
    ),
    "PROPOSAL_CONFLICT": (
        "FAILED_PRECONDITION",
        "this key has signed another {role} version {version} of {network} before",
        "you",
        "find out what became of the earlier proposal; only if it is withdrawn, sign with --replace",
    ),
    "PROPOSAL_INVALID": (
        "INVALID_ARGUMENT",
        "the proposal {file} is refused: {detail}",
        "you",
        "have it made again; sign nothing",
    ),
    "PROPOSAL_OUTDATED": (
        "FAILED_PRECONDITION",
        "the proposal {file} is outdated: it continues {role} version {base}, version {current} is published",
        "you",
        "make it again with `xinqiao registry propose` and have it signed",
    ),
    "PROPOSAL_UNEXPLAINED": (
        "FAILED_PRECONDITION",
        "the proposal {file} holds what cannot be explained: {detail}",
        "you",
        "sign nothing; ask who made this file, and have it made again",
    ),
    "REGISTRY_HOME_EXISTS": (
        "ALREADY_EXISTS",
        "{home} holds a registry already ({network})",
        "you",
        "choose another --home",
    ),
    "REGISTRY_HOME_MISSING": (
        "FAILED_PRECONDITION",
        "{home} holds no registry",
        "you",
        "create one with `xinqiao registry init --home {home} --network NAME --officer-key PUB --threshold N`",
    ),
    "REGISTRY_PASSPHRASE": (
        "FAILED_PRECONDITION",
        "the key {file} does not open: wrong or missing passphrase",
        "you",
        "give it by --passphrase-file or {variable}",
    ),
    "REGISTRY_UNSIGNED": (
        "FAILED_PRECONDITION",
        "the network {network} is not founded yet: its officers have not signed {file}",
        "the officers",
        "each signs a copy with `xinqiao registry sign`, then run `xinqiao registry submit FILE...`",
    ),
    "REQUEST_FINGERPRINT": (
        "FAILED_PRECONDITION",
        "no pending request of {id} has the fingerprint you gave: you gave {given}, pending: {pending}",
        "you",
        "ask the administrator of {id} for the fingerprint over another line; approve nothing until they are equal",
    ),
    "REQUEST_UNKNOWN": (
        "NOT_FOUND",
        "no request of {id} is pending",
        "you",
        "see `xinqiao registry requests`",
    ),
    "STANDING": (
        "FAILED_PRECONDITION",
        "{id} is {standing}; it cannot be {action}",
        "you",
        "see `xinqiao registry show`",
    ),
}
