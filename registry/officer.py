"""What an officer's own machine remembers: which content this key has signed as which version of a role.

Two officers' quorums always share one officer (thresholds are majorities). As long as that one never signs two
contents for one version, two different versions of the truth cannot both reach the threshold, whoever holds the
registry's server. The memory is a file beside the key, one JSON line for each signature.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from node.core.errors import XinqiaoError
from registry import repository
from registry.disk import Disk
from registry.proposals import Proposal

Line = tuple[str, str, int, str]


def memory_of(key: Path) -> Path:
    """The memory that belongs to a key."""
    return key.with_name(f"{key.name}.signed")


def remember(key: Path, proposal: Proposal, roles: Iterable[str], *, replace: bool) -> None:
    """Note what is about to be signed; raises PROPOSAL_CONFLICT, unless `replace`; KEY_FILE.

    The note is on the disk before the signature exists. A crash in between leaves a note of something that was not
    signed; signing the same content later is no conflict.
    """
    path = memory_of(key)
    due = [_line(proposal, role) for role in roles]
    held = _read(path)
    for network, role, version, digest in due:
        others = [line for line in held if line[:3] == (network, role, version) and line[3] != digest]
        if others and not replace:
            raise XinqiaoError("PROPOSAL_CONFLICT", network=network, role=role, version=version)
    lines = [*held, *(line for line in due if line not in held)]
    Disk().write(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def _line(proposal: Proposal, role: str) -> Line:
    metadata = proposal.changed[role]
    digest = hashlib.sha256(repository.body(metadata)).hexdigest()
    return proposal.network, role, metadata.signed.version, digest


def _read(path: Path) -> list[Line]:
    if not path.exists():
        return []
    try:
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [(str(each[0]), str(each[1]), int(each[2]), str(each[3])) for each in found]
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise XinqiaoError("KEY_FILE", file=path, detail="this memory of what was signed is damaged") from error
