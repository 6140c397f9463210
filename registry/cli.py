"""`xinqiao registry`: found a network, decide about its members, serve what the officers signed."""

import logging
import sys
from importlib import resources
from pathlib import Path

import click
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from node.core.errors import XinqiaoError
from node.core.membership import Member
from node.core.registry_targets import root_fingerprint
from node.core.suites import PublicKey, to_text
from node.texts import joined, phrase, term, words
from node.texts.columns import padded
from registry import authority, keys, officer, proposals, repository
from registry.authority import Progress
from registry.clock import now_ms
from registry.drafts import draft_of
from registry.explanation import explain
from registry.keys import OFFICER_PASSPHRASE, REGISTRY_PASSPHRASE
from registry.proposals import Proposal
from registry.proposing import propose, read_proposal
from registry.repository import State
from registry.store import Store
from registry.terminal import (
    FILE,
    NEW_FILE,
    Group,
    home,
    is_json,
    opened,
    options,
    passphrase,
    passphrase_option,
    result,
    say,
    typed,
    warn,
)
from registry.wording import grouped, shown, when

LABEL_COLUMNS = 18
MINORITY = "{needed} of {officers} is no majority: two groups of officers could decide different things."
EXPIRES = "{role} expires in {days} days; next: `xinqiao registry propose renew {role} -o FILE`"


@click.group("registry", cls=Group)
@options
def registry() -> None:
    """Run the registry of a network: who its members are, decided by officers, each with a key of their own.

    \b
    On each officer's own machine:   registry officer keygen -o FILE
    On the registry's machine:       registry init --network NAME --officer-key PUB... --threshold N
    Each officer, offline:           registry sign FILE --key KEY
    On the registry's machine:       registry submit FILE... ; registry serve --listen HOST:PORT
    For every decision after that:   registry requests ; registry propose ... ; sign ; submit
    """


# --- Officers -----------------------------------------------------------------------------------------------


@registry.group("officer")
@options
def officer_group() -> None:
    """Commands for an officer's own machine, which needs no network."""


@officer_group.command("keygen")
@click.option("-o", "--output", required=True, type=NEW_FILE, help="File for the private key; must not exist yet.")
@passphrase_option(OFFICER_PASSPHRASE)
@options
def officer_keygen(output: Path, passphrase_file: Path | None) -> None:
    """Make an officer's key, and print the public half to hand to `registry init`."""
    secret = passphrase(passphrase_file, OFFICER_PASSPHRASE)
    public = keys.generate(output, secret)
    if secret is None:
        warn(words("{file} is not encrypted: keep it where only you can read it, or give a passphrase.", file=output))
    if not is_json():
        click.echo(to_text(public))
    result({"officer_key": to_text(public), "key_id": public.key_id, "file": str(output)})


# --- Found --------------------------------------------------------------------------------------------------


@registry.command("init")
@click.option("--network", required=True, help="Name of the network: a-z, 0-9 and '-'.")
@click.option("--officer-key", "officer_keys", multiple=True, help="An officer's public key; once for each officer.")
@click.option("--threshold", type=int, help="How many officers decide together; more than half, unless you know why.")
@click.option("--dev-officers", type=click.IntRange(1, 16), help="FOR DEVELOPMENT ONLY: make N officers' keys here.")
@click.option(
    "--edition", "editions", multiple=True, type=FILE, help="A catalogue edition instead of the built-in ones."
)
@click.option(
    "--calendar", "calendars", multiple=True, type=FILE, help="A calendar of working days instead of the built-in one."
)
@click.option("--rules", multiple=True, type=FILE, help="An edition of the rules instead of the built-in one.")
@click.option("--measures", multiple=True, type=FILE, help="An edition of the measures instead of the built-in one.")
@click.option("--matters", multiple=True, type=FILE, help="An edition of the matters; without one nobody is checked.")
@passphrase_option(REGISTRY_PASSPHRASE)
@options
def init(
    network: str,
    officer_keys: tuple[str, ...],
    threshold: int | None,
    dev_officers: int | None,
    editions: tuple[Path, ...],
    calendars: tuple[Path, ...],
    rules: tuple[Path, ...],
    measures: tuple[Path, ...],
    matters: tuple[Path, ...],
    passphrase_file: Path | None,
) -> None:
    """Found a network: prints the root fingerprint that every node is given when it joins.

    The founding is a proposal file. Each officer signs a copy with `registry sign`; `registry submit` with enough
    of the copies publishes it, and only then `registry serve` starts.
    """
    if bool(officer_keys) == bool(dev_officers):
        raise click.UsageError(words("give --officer-key for each officer, or --dev-officers N for development"))
    store = Store(home())
    store.prepare()
    # (1) the keys
    secret = passphrase(passphrase_file, REGISTRY_PASSPHRASE)
    if not store.online_key.exists():
        keys.generate(store.online_key, secret)
    online = authority.open_online_key(store, secret)
    made = _dev_officers(store, dev_officers) if dev_officers else {}
    officers = list(made.values()) or [keys.public_key_in(text) for text in officer_keys]
    needed = threshold if threshold is not None else len(officers) // 2 + 1
    # (2) the proposal
    published = authority.Editions(
        catalogue=[path.read_bytes() for path in editions] or _built_in("catalogue"),
        calendars=[path.read_bytes() for path in calendars] or _built_in("calendar"),
        rules=[path.read_bytes() for path in rules] or _built_in("rules"),
        measures=[draft_of(path) for path in measures] or _built_in("measures"),
        matters=[draft_of(path) for path in matters],
    )
    founding = authority.found(store, network, officers, needed, published, online, now_ms())
    fingerprint = root_fingerprint(founding.first_root).hex()
    to_sign = {"needed": needed, "file": store.founding}
    if needed * 2 <= len(officers):
        warn(words(MINORITY, needed=needed, officers=len(officers)))
    # (3) for development, the signatures
    if made:
        _sign_as_dev_officers(store, founding, list(made), online)
    say(*_network_lines(founding.network, fingerprint), padded("", LABEL_COLUMNS) + grouped(fingerprint))
    if not made:
        say(words("next: {needed} of the officers sign {file} with `xinqiao registry sign`, then", **to_sign))
        say(words("      `xinqiao registry submit FILE...` and `xinqiao registry serve --listen HOST:PORT`"))
    result(
        {
            "network": founding.network,
            "root_fingerprint": fingerprint,
            "founding": str(store.founding),
            "published": bool(made),
        }
    )


def _network_lines(network: str, fingerprint: str) -> list[str]:
    labels = (words("network"), words("root fingerprint"))
    return [padded(label, LABEL_COLUMNS) + value for label, value in zip(labels, (network, fingerprint), strict=True)]


def _built_in(kind: str) -> list[bytes]:
    folder = resources.files("registry") / "editions"
    found = [each for each in folder.iterdir() if each.name.startswith(f"{kind}-")]
    return [each.read_bytes() for each in sorted(found, key=lambda each: each.name)]


def _dev_officers(store: Store, count: int) -> dict[Path, PublicKey]:
    warn(
        words("DEVELOPMENT ONLY: the officers' keys are made on this machine and are not encrypted."),
        words("Whoever reads this folder can admit anybody. Never run a network with real records like this."),
    )
    folder = store.home / "dev-officers"
    folder.mkdir(mode=0o700, exist_ok=True)
    paths = [folder / f"officer-{place}.pem" for place in range(1, count + 1)]
    # An interrupted init left some of them: they are as good as new ones.
    return {
        path: keys.public_of(keys.load(path, None, OFFICER_PASSPHRASE)) if path.exists() else keys.generate(path, None)
        for path in paths
    }


def _sign_as_dev_officers(store: Store, founding: Proposal, key_files: list[Path], online: CryptoSigner) -> None:
    for path in key_files:
        officer.remember(path, founding, founding.changed, replace=False)
        founding = proposals.sign(founding, keys.load(path, None, OFFICER_PASSPHRASE))
    authority.submit(store, {store.founding.name: founding}, online, now_ms())


# --- Serve --------------------------------------------------------------------------------------------------


@registry.command("serve")
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@passphrase_option(REGISTRY_PASSPHRASE)
@options
def serve(listen: str, passphrase_file: Path | None) -> None:
    """Serve the published files, take membership requests and head reports, until SIGTERM.

    Signs the timestamp anew every 12 hours. Proposals can be made and submitted while it runs.
    """
    import asyncio

    from registry import server

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    store = opened()
    with store.serving():
        store.founded()
        online = authority.open_online_key(store, passphrase(passphrase_file, REGISTRY_PASSPHRASE))
        asyncio.run(server.serve(store, online, now_ms, listen, _announce, server.Rates()))
    say(words("stopped"))


def _announce(address: str) -> None:
    result({"listen": address})
    if not is_json():
        click.echo(words("listening on {address}", address=address))
    # Whoever started this process may be reading a pipe, and waits for this line.
    sys.stdout.flush()


# --- Requests -----------------------------------------------------------------------------------------------


@registry.command("requests")
@click.option("--forget", nargs=2, metavar="ID FINGERPRINT", help="Drop a request nobody made in earnest.")
@options
def requests(forget: tuple[str, str] | None) -> None:
    """Show who asks to join, or to have a changed descriptor listed."""
    store = opened()
    if forget:
        with store.writing():
            store.drop_request(forget[0], typed(forget[1]))
    found = store.requests()
    for request in found:
        message = request.descriptor.message
        node = {"node": request.id, "name": shown(message.name), "level": term(message.level)}
        since = {"parent": message.parent or term("none"), "since": when(request.received_at_ms)}
        say(words("{node} {name} ({level}, parent {parent}), since {since}", **node, **since))
        digest = grouped(request.descriptor.fingerprint)
        say(words("    version {version}, fingerprint {fingerprint}", version=message.version, fingerprint=digest))
    if not found:
        say(words("no request is pending"))
    result(
        {
            "requests": [
                {
                    "id": request.id,
                    "name": request.descriptor.message.name,
                    "level": request.descriptor.message.level,
                    "parent": request.descriptor.message.parent,
                    "version": request.descriptor.message.version,
                    "fingerprint": request.descriptor.fingerprint,
                    "received_at_unix_ms": request.received_at_ms,
                }
                for request in found
            ]
        }
    )


registry.add_command(propose)


# --- Sign and submit ----------------------------------------------------------------------------------------


@registry.command("sign")
@click.argument("proposal", type=FILE, help="The proposal file.")
@click.option("--key", required=True, type=FILE, help="Your private key.")
@click.option("-o", "--output", type=NEW_FILE, help="Write the signed copy here instead of into the same file.")
@click.option("--root-fingerprint", help="Sign only for the network with this root fingerprint.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.option("--replace", is_flag=True, help="Sign although you signed another content for the same version before.")
@passphrase_option(OFFICER_PASSPHRASE)
@options
def sign(
    proposal: Path,
    key: Path,
    output: Path | None,
    root_fingerprint: str | None,
    yes: bool,
    replace: bool,
    passphrase_file: Path | None,
) -> None:
    """Show in plain words what a proposal does, ask, and sign it.

    Needs no network and no registry.

    The words are read off what is signed. If any of it has no words here, nothing is signed.
    """
    content = read_proposal(proposal)
    signer = keys.load(key, passphrase(passphrase_file, OFFICER_PASSPHRASE), OFFICER_PASSPHRASE)
    # (1) nothing in it is forged, and everything in it has words
    proposals.check_signatures(content, str(proposal))
    account = explain(content, now_ms(), str(proposal))
    say(*account.lines, *(words("UNEXPLAINED: {what}", what=phrase(each)) for each in account.unexplained))
    account.check(str(proposal))
    _check_root(content, root_fingerprint)
    # (2) this key signs here, and has not signed against it
    roles = proposals.roles_signed_by(content, signer)
    if not yes and not click.confirm(words("Sign this?"), err=True):
        say(words("not signed"))
        click.get_current_context().exit(1)
    officer.remember(key, content, roles, replace=replace)
    # (3) the signature
    signed = proposals.sign(content, signer)
    Store(Path()).disk.write(output or proposal, proposals.encode(signed))
    progress = authority.progress_of(signed, published=False)
    count = {"present": progress.present, "needed": progress.needed}
    say(words("signed: {present} of {needed}; hand {file} back to the registry", file=output or proposal, **count))
    result(
        {
            "proposal": str(output or proposal),
            "id": signed.id,
            "network": signed.network,
            "lines": account.lines,
            "signatures_present": progress.present,
            "signatures_needed": progress.needed,
        }
    )


def _check_root(proposal: Proposal, expected: str | None) -> None:
    found = root_fingerprint(proposal.first_root).hex()
    if expected is not None and typed(expected) != found:
        raise XinqiaoError("REGISTRY_FINGERPRINT", found=found, expected=typed(expected))


@registry.command("submit")
@click.argument("files", nargs=-1, required=True, type=FILE, help="Signed proposal files.")
@passphrase_option(REGISTRY_PASSPHRASE)
@options
def submit(files: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Gather the signatures of proposal files, of several copies too, and publish what has enough."""
    store = opened()
    online = authority.open_online_key(store, passphrase(passphrase_file, REGISTRY_PASSPHRASE))
    found = authority.submit(store, {str(path): read_proposal(path) for path in files}, online, now_ms())
    for progress in found:
        count = {"id": progress.proposal.id[:16], "present": progress.present, "needed": progress.needed}
        if progress.published:
            say(words("proposal {id}: {present} of {needed} signatures; published", **count))
        else:
            missing = joined(progress.missing)
            say(words("proposal {id}: {present} of {needed} signatures; missing: {missing}", missing=missing, **count))
    result({"proposals": [_as_document(progress) for progress in found]})


def _as_document(progress: Progress) -> dict[str, object]:
    return {
        "id": progress.proposal.id,
        "signatures_present": progress.present,
        "signatures_needed": progress.needed,
        "missing": list(progress.missing),
        "published": progress.published,
    }


# --- Show ---------------------------------------------------------------------------------------------------


@registry.command("show")
@options
def show() -> None:
    """Show the network, its root fingerprint, versions, expiries and members."""
    store = opened()
    state = store.founded()
    fingerprint = root_fingerprint(state.roots[0]).hex()
    say(*_network_lines(state.network, fingerprint))
    roles = _expiries(state)
    for role, (version, expires) in roles.items():
        about = words("version {version}, valid until {expires}", version=version, expires=when(expires))
        say(padded(role, LABEL_COLUMNS - 1) + " " + about)
    for role, days in repository.near_expiry(state, now_ms()).items():
        warn(words(EXPIRES, role=role, days=days))
    members = [_member_document(member) for member in store.members().by_id.values()]
    for each in members:
        reason = f": {shown(str(each['reason']))}" if each["reason"] else ""
        epoch = words(", epoch {epoch}", epoch=each["open_epoch"]) if each["open_epoch"] else ""
        level, standing = term(str(each["level"])), term(str(each["standing"]))
        say(f"{each['id']} {shown(str(each['name']))} ({level}), {standing}{epoch}{reason}")
    result(
        {
            "network": state.network,
            "root_fingerprint": fingerprint,
            "roles": {
                role: {"version": version, "expires_unix_ms": expires} for role, (version, expires) in roles.items()
            },
            "members": members,
        }
    )


def _member_document(member: Member) -> dict[str, object]:
    return {
        "id": member.id,
        "name": member.name,
        "level": member.descriptor.message.level,
        "parent": member.descriptor.message.parent,
        "standing": member.standing.value,
        "reason": member.reason,
        "open_epoch": member.open_epoch,
        "cut_heads": len(member.cut.head_leaves) if member.cut else None,
        "fingerprint": member.descriptor.fingerprint,
        "version": member.descriptor.message.version,
    }


def _expiries(state: State) -> dict[str, tuple[int, int]]:
    """Version and expiry, in Unix ms, of every role in force."""
    found: dict[str, Root | Targets | Snapshot | Timestamp] = {repository.ROOT: state.root.signed}
    found |= {role: state.role(role).signed for role in sorted(state.roles)}
    found[repository.SNAPSHOT] = repository.read(Snapshot, state.snapshot).signed
    found[repository.TIMESTAMP] = repository.read(Timestamp, state.timestamp).signed
    return {role: (signed.version, repository.unix_ms(signed.expires)) for role, signed in found.items()}
