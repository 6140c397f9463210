"""The steps of the demonstration in which records travel, and everybody who may hold them does."""

import csv
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from rich import box
from rich.table import Table

from scripts.demo_network import PROVING, Demo
from scripts.xq_generate import Plan, generate, write_file
from scripts.xq_places import BY_ID, PLACES, TOPICS, Topic
from scripts.xq_stage import WAIT_LIMIT_S, Document, demand

DEFECTS = 0.02  # share of the rows with a planted mistake


def exchange(demo: Demo) -> None:
    """Create the channels, publish generated files, and show them arrive."""
    demo.crew.each("channels", TOPICS, partial(_create_channel, demo))
    demo.crew.each("files", TOPICS, partial(_generate, demo))
    publishing = [demo.crew.pool.submit(_publish, demo, topic) for topic in TOPICS]
    with demo.screen.live() as show:
        _watch(demo, publishing, lambda held: show(_holdings_table(demo, held)))
    for topic in TOPICS:
        counts = demo.counts[topic.channel]
        demo.screen.good(
            f"{topic.channel}: {counts['rows']} rows: {counts['accepted']} accepted, {counts['rejected']} rejected "
            f"with their reasons ({demo.planted[topic.channel]} mistakes were planted, "
            f"{demo.warnings[topic.channel]} decisions only warn and may not be made public)"
        )
        due = demo.planted[topic.channel] + demo.warnings[topic.channel]
        demand(counts["rejected"] == due, f"{topic.channel}: rejected other rows", counts)
    _show_a_rejection(demo, TOPICS[0])


def _create_channel(demo: Demo, topic: Topic) -> None:
    demo.product.run(
        *("channel", "create", topic.name, "--home", BY_ID[topic.origin].home, "--item", topic.item),
        *("--audience", topic.audience, "--disclosure", topic.disclosure),
        show=True,
    )


def _generate(demo: Demo, topic: Topic) -> None:
    place = BY_ID[topic.origin]
    plan = Plan(topic.item, demo.rows, demo.seed, place.division, place.authority, DEFECTS)
    demo.planted[topic.channel] = write_file(plan, demo.work / _file(topic))
    # R-INC-15: a decision that only warns is not published.
    sound = (each.row for each in generate(plan) if not each.code and topic.disclosure == "A")
    demo.warnings[topic.channel] = sum(row.get("CF_CFLB") == "警告" for row in sound)


def _file(topic: Topic) -> str:
    return f"nodes/{topic.origin}-{topic.name}.csv"


def _publish(demo: Demo, topic: Topic) -> None:
    home = BY_ID[topic.origin].home
    found = demo.product.run("publish", topic.channel, _file(topic), "--home", home, show=True)
    (file,) = found["files"]
    demo.counts[topic.channel] = file["counts"]
    demo.rejected[topic.channel] = file["rejected_file"] or ""


def _watch(demo: Demo, publishing: Sequence["Future[None]"], show: Callable[[Document], None]) -> None:
    """Ask every node what it holds until everything published has arrived."""
    limit = time.monotonic() + WAIT_LIMIT_S * 2
    while True:
        published = all(future.done() for future in publishing)
        if published:
            for future in publishing:
                future.result()
        held = demo.holdings()
        show(held)
        missing = [
            f"{topic.channel} at {node}"
            for topic in TOPICS
            for node in topic.holders
            if not _is_complete(demo, held, topic, node)
        ]
        if published and not missing:
            return
        demand(time.monotonic() < limit, f"not everything has arrived: {', '.join(missing)}", held)


def _is_complete(demo: Demo, held: Document, topic: Topic, node: str) -> bool:
    counts, found = demo.counts.get(topic.channel), held[node].get(topic.channel)
    return counts is not None and found is not None and found["records"] == counts["accepted"]


def _holdings_table(demo: Demo, held: Document) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="   records applied", title_justify="left")
    table.add_column("channel")
    for place in PLACES:
        table.add_column(place.id, justify="right")
    for topic in TOPICS:
        table.add_row(topic.channel, *(_cell(demo, held, topic, place.id) for place in PLACES))
    return table


def _cell(demo: Demo, held: Document, topic: Topic, node: str) -> str:
    if topic.channel not in held[node]:
        return "[dim]·[/]" if node in topic.holders else "[dim]–[/]"
    style = "green" if _is_complete(demo, held, topic, node) else "yellow"
    return f"[{style}]{held[node][topic.channel]['records']:,}[/]"


def _show_a_rejection(demo: Demo, topic: Topic) -> None:
    """Show one rejected row the way its sender finds it."""
    path = demo.work / demo.rejected[topic.channel]
    with path.open(encoding="utf-8-sig", newline="") as rows:
        row = next(csv.DictReader(rows))
    demo.screen.say(f"the first of {path.relative_to(demo.work)}:")
    # The first two columns, whose headings are in the language of the reader.
    reason, remedy = list(row.values())[:2]
    demo.screen.quote(f"row {row['xq_row']}, {row['xq_code']}: {reason}", f"remedy: {remedy}")


def show_holdings(demo: Demo) -> None:
    """Compare every node with the origin: the same at its audience, nothing at the others."""
    held = demo.holdings()
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("channel", "audience", "held at", "entries", "records", "root"):
        table.add_column(column)
    for topic in TOPICS:
        mine = _holding(held[topic.origin][topic.channel])
        for place in PLACES:
            found = held[place.id].get(topic.channel)
            if place.id in topic.holders:
                demand(found is not None and _holding(found) == mine, f"{place.id} holds another {topic.channel}", held)
            else:
                demand(found is None, f"{place.id} holds {topic.channel}, which is not for it", held)
        size, root, records = mine
        table.add_row(
            *(topic.channel, topic.audience, " ".join(topic.holders), str(size), f"{records:,}", f"{root[:16]}…")
        )
        demo.summary.setdefault("channels", {})[topic.channel] = {
            **demo.counts[topic.channel],
            "records": records,
            "entries": size,
            "root": root,
            "held_by": list(topic.holders),
        }
    demo.screen.table(table)
    demo.screen.good("the same count and the same root at every node of the audience, nothing at the others")
    _ask_an_outsider(demo)


def _ask_an_outsider(demo: Demo) -> None:
    """Ask for a subject by its code where its records may be read, and where not."""
    topic = TOPICS[2]
    subject = demo.first_record("national", topic.channel)["values"]["CF_XDR_SHXYM"]
    for node, expected in (("national", True), (PROVING, False)):
        found = demo.product.run("records", "--subject", subject, "--home", BY_ID[node].home, show=True)["records"]
        demand(bool(found) is expected, f"{node} answers {len(found)} records about {subject}", found)
        demo.screen.good(f"{node} answers {len(found)} record(s)")


def _holding(summary: Document) -> tuple[int, str, int]:
    """Size, root and records of a channel as a node holds it."""
    return summary["head"]["size"], summary["head"]["root"], summary["records"]
