"""`xinqiao client`: the systems that may check subjects through the query port, and what each may ask."""

from collections.abc import Mapping
from pathlib import Path

import click
from cryptography import x509

from node.cli.signing import FILE
from node.cli.terminal import Command, Group, home, options, result, say, table
from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.keys.certificate import target_name
from node.pb import registry_pb2
from node.query_clients import QueryClient, QueryClients, make_client, read_certificate
from node.rpc import tls
from node.texts import joined, words


@click.group("client", cls=Group)
@options
def client() -> None:
    """Systems that may check subjects through the query port (`query_listen`), and what each may ask.

    A system is known by the key of its certificate. It asks for one unit, in the matters and for the officers that it
    is registered for; everything else holds for it as for `xinqiao check`. A change is in force at once.
    """


@client.command("add", cls=Command)
@click.argument("name", help="Name of the system here: lower-case letters, digits and '-'.")
@click.option("--certificate", "file", type=FILE, required=True, help="PEM file with the one certificate it shows.")
@click.option("--unit", required=True, help="Unified social credit code of the unit that it asks for.")
@click.option("--matter", "matters", multiple=True, required=True, help="Code of a matter; once for each.")
@click.option("--officer", "officers", multiple=True, required=True, help="Officer of this node; once for each.")
@options
def add(name: str, file: Path, unit: str, matters: tuple[str, ...], officers: tuple[str, ...]) -> None:
    """Register a system, or replace what is registered under its name.

    The certificate is the system's own and may be signed by itself; its private key stays there.
    """
    from node import app

    clients = _clients()
    try:
        added = make_client(name, read_certificate(file.read_bytes(), app.now_ms()), unit, matters, officers)
    except ValueError as error:
        raise XinqiaoError(
            "ARGUMENT_INVALID", argument="--certificate" if "certificate" in str(error) else "NAME", detail=error
        ) from None
    clients.put(list({**clients.all(), name: added}.values()))
    say(words("{client} may ask for {unit} from now on", client=name, unit=unit))
    _say_server()
    result(_document(added))


@client.command("list", cls=Command)
@options
def list_clients() -> None:
    """Show the registered systems, and what each may ask."""
    found = _clients().all()
    rows = [
        (each.name, each.unit, joined(each.matters), joined(each.officers), _ends(each), each.spki_sha256.hex()[:16])
        for each in found.values()
    ]
    table("clients", ("client", "unit", "matters", "officers", "valid until", "key"), rows)
    result({"clients": [_document(each) for each in found.values()]})


@client.command("remove", cls=Command)
@click.argument("name", help="Name of the system here.")
@options
def remove(name: str) -> None:
    """Take a system out of the table: it gets nothing more, on connections that stand, too."""
    clients = _clients()
    left = dict(clients.all())
    if left.pop(name, None) is None:
        raise XinqiaoError("ARGUMENT_INVALID", argument="NAME", detail="no such system is registered")
    clients.put(list(left.values()))
    say(words("{client} may ask no more", client=name))
    result({"client": name, "registered": False})


@client.command("server", cls=Command)
@options
def server() -> None:
    """Print what a system must know of this node: its certificates, and the name to expect in them.

    While a key of this node is being rotated there are two certificates; a system trusts both.
    """
    certificates = _own_certificates()
    say(tls.as_pem(certificates).decode())
    _say_server()
    result({"name": target_name(home().load().id), "certificates": tls.as_pem(certificates).decode()})


def _clients() -> QueryClients:
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    return QueryClients(found.path)


def _own_certificates() -> list[bytes]:
    descriptor = envelopes.parse(registry_pb2.NodeDescriptor, home().descriptor().payload)
    return [each.certificate for each in descriptor.tls_certificates]


def _say_server() -> None:
    say(
        words(
            "systems call {address}, and expect {name} in this node's certificate: `xinqiao client server`",
            address=home().load().query_listen or words("no address: `query_listen` is empty"),
            name=target_name(home().load().id),
        )
    )


def _ends(each: QueryClient) -> str:
    return x509.load_der_x509_certificate(each.certificate).not_valid_after_utc.date().isoformat()


def _document(each: QueryClient) -> Mapping[str, object]:
    return {
        "client": each.name,
        "unit": each.unit,
        "matters": list(each.matters),
        "officers": list(each.officers),
        "valid_until": _ends(each),
        "spki_sha256": each.spki_sha256.hex(),
    }


COMMANDS = (client,)
