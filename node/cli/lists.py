"""`xinqiao list`: joint lists, what they are and who is on them."""

from pathlib import Path

import click

from node.cli.signing import FILE
from node.cli.terminal import Command, Group, fresh, home, options, plain, result, say
from node.core.audience import DEFAULT_STALENESS_LIMIT_S, format_audience, parse_audience
from node.core.errors import XinqiaoError
from node.core.list_type import KIND_NAMES, Definition, read_definition
from node.core.state import disclosure_letter
from node.core.strict_yaml import YamlError, read_yaml
from node.pb import channel_pb2
from node.pb import list_service_pb2 as pb
from node.rpc.list_client import ListClient
from node.texts import joined, law, term, words

MAX_DEFINITION_CHARS = 64 * 1024
LIST_HELP = "Code of a list of this node, e.g. serious-tax, or its channel, e.g. 310000/lists/serious-tax."


def node_lists() -> ListClient:
    """The list service of the node that serves this home; raises HOME_MISSING, ADMIN_UNREACHABLE."""
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    return ListClient(found.path, found.socket())


@click.group("list", cls=Group)
@options
def lists() -> None:
    """Joint lists: serious, red and watch lists that one authority determines and every reader applies.

    Nobody is put on a list or taken off one without the signatures of officers of the node that determines it: one for
    red and watch lists, two different ones for serious lists.
    """


# -- what a list is ------------------------------------------------------------------------------------------


@lists.command("define", cls=Command)
@click.argument("file", type=FILE, help="YAML file with the keys that the manual names.")
@options
def define(file: Path) -> None:
    """State what a list of this node is: kind, authority, legal basis, conditions, remedy, measures, term, readers.

    The same file again changes nothing. Another one for the same code is what the list is from then on; who is on it
    stays on it.
    """
    definition = _read(file)
    request = pb.DefineListRequest(
        list=definition.list,
        audience=parse_audience(definition.audience),
        disclosure=channel_pb2.DisclosureClass.Name(definition.disclosure),
        staleness_limit_s=definition.staleness_limit_s,
    )
    with node_lists() as node:
        defined = node.define(request)
    say_list(defined.list)
    if not defined.changed:
        say(words("this is what it was before: nothing was written"))
    say(words("next: xinqiao list add {list} --subject CODE ...", list=definition.list.code))
    result(plain(defined))


def _read(file: Path) -> Definition:
    """What a file defines; raises LIST_FIELD and what core.list_type raises."""
    with file.open(encoding="utf-8") as opened:
        try:
            content = read_yaml(opened.read(MAX_DEFINITION_CHARS + 1), MAX_DEFINITION_CHARS)
        except YamlError as error:
            raise XinqiaoError("LIST_FIELD", key=file.name, detail=error) from None
        except UnicodeDecodeError:
            raise XinqiaoError("LIST_FIELD", key=file.name, detail="it is not written in UTF-8") from None
    return read_definition(content)


def say_list(line: pb.ListLine) -> None:
    """Tell what a list is, and how it stands here."""
    manifest, head = line.channel.manifest, line.channel.head
    named = {"list": head.channel, "title": manifest.list.title_zh, "kind": term(KIND_NAMES[manifest.list.kind])}
    readers = joined(line.channel.audience_nodes)
    say(
        words("{list}  {title}  ({kind} list)", **named),
        words("determined by {authority}", authority=manifest.list.authority),
        words(
            "legal basis: {basis}",
            basis=joined(f"{each.title} {law(each.article)}" for each in manifest.list.legal_basis),
        ),
        words("entered where: {text}", text=manifest.list.entry_conditions),
        words("left where: {text}", text=manifest.list.exit_conditions),
        words("remedy: {text}", text=manifest.list.remedy),
        words("measures: {measures}", measures=joined(manifest.list.measures) or term("none")),
        words("lasts at most {months} months", months=manifest.list.term_months),
        words(
            "class {letter}, audience: {audience} = {readers}",
            letter=disclosure_letter(manifest.disclosure),
            audience=format_audience(manifest.audience),
            readers=readers,
        ),
        words("on it: {count}; members beside its origin's: {digest}", count=line.live, digest=term(line.digest)),
        words(
            "entries {entries}, applied {applied}; {fresh}",
            entries=head.size,
            applied=line.channel.applied_size,
            fresh=fresh(line.channel.fresh_at_unix_ms),
        ),
        words(
            "answers UNCONFIRMED after {seconds} s without word of its origin",
            seconds=manifest.staleness_limit_s or DEFAULT_STALENESS_LIMIT_S,
        ),
    )


COMMANDS = (lists,)
