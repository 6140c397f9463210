"""The step of the demonstration in which officers suspend a node: its past stays, its future is refused."""

import time
from functools import partial

from scripts.demo_network import Demo
from scripts.xq_generate import Plan, write_file
from scripts.xq_places import BY_ID, PLACES, TOPICS, Place, Topic
from scripts.xq_stage import demand

SUSPENDED = "320500"
SETTLE_S = 2  # twice the interval at which the nodes of the demonstration talk
REASON = "示例：密钥保管不合规定，整改期间暂停"


def suspend(demo: Demo) -> None:
    """Suspend a node by ceremony; see it refused, its past kept and its future accepted nowhere."""
    topic = next(topic for topic in TOPICS if topic.origin == SUSPENDED)
    before = demo.holdings()["national"][topic.channel]["records"]
    demo.product.run(
        *("registry", "propose", "suspend", SUSPENDED, "--home", "registry"),
        *("--reason", REASON, "-o", "suspension.proposal"),
        show=True,
    )
    late = _publish_late(demo, topic)
    demo.decide(demo.work / "suspension.proposal", "suspension")
    demo.crew.until(
        "nodes have drawn the line", len(PLACES), lambda: demo.crew.count(PLACES, partial(_is_cut, demo), topic, before)
    )
    demo.screen.good(f"every node still answers {before:,} records of {topic.channel}, those up to the cut")
    refused = _show_refusals(demo, topic)
    with demo.screen.progress("seconds for anybody to take it up", SETTLE_S) as advance:
        for second in range(SETTLE_S):
            time.sleep(1)
            advance(second + 1)
    demand(
        demo.crew.count(PLACES, partial(_is_cut, demo), topic, before) == len(PLACES),
        "somebody took up what lies above the cut",
    )
    demo.screen.good(
        f"the {late} rows sent after the line was drawn are answered nowhere, and nothing more of it is accepted"
    )
    demo.summary["suspension"] = {"node": SUSPENDED, "kept": before, "late": late, "refused": refused}


def _publish_late(demo: Demo, topic: Topic) -> int:
    """Publish while the officers are still signing: it travels, and lies above the cut that they sign."""
    place, file, late = BY_ID[SUSPENDED], demo.work / "nodes" / "late.csv", 50
    write_file(Plan(topic.item, late, demo.seed + 1, place.division, place.authority), file)
    demo.screen.say(f"meanwhile {SUSPENDED}, still a member, goes on:")
    demo.product.run("publish", topic.channel, "nodes/late.csv", "--home", place.home, show=True)
    return late


def _is_cut(demo: Demo, place: Place, topic: Topic, records: int) -> bool:
    """Whether a node knows the cut and answers exactly what lies below it."""
    found = demo.product.run("channel", "list", "--home", place.home)["channels"]
    return any(
        each["head"]["channel"] == topic.channel and each["state"] == "cut" and each["records"] == records
        for each in found
    )


def _refusals(demo: Demo, place: Place) -> int:
    """How many peers have refused a node because it is suspended."""
    peers = demo.product.run("peers", "--home", place.home)["peers"]
    return sum(peer["failure"]["code"] == "MEMBER_SUSPENDED" for peer in peers)


def _show_refusals(demo: Demo, topic: Topic) -> dict[str, str]:
    """Show what the suspended node reads: its own standing, why its peers refuse, why it cannot publish."""
    place = BY_ID[SUSPENDED]
    demo.crew.until("peers refuse it", len(PLACES) - 1, lambda: _refusals(demo, place))
    demo.product.run("peers", "--home", place.home, show=True)
    demo.screen.good(f"refused by all {len(PLACES) - 1} peers: MEMBER_SUSPENDED")
    status = demo.product.run("status", "--home", place.home, show=True)
    demand(status["membership"] == "suspended", f"{SUSPENDED} does not know of its suspension", status)
    demo.screen.quote(f"{status['membership']}; waiting for: {status['waiting_for']}")
    error = demo.product.refusal("publish", topic.channel, "nodes/late.csv", "--home", place.home)
    demand(error["code"] == "MEMBER_SUSPENDED", f"{SUSPENDED} is refused for another reason", error)
    demo.screen.good(f"refused: {error['code']}: {error['text']}")
    return {str(name): str(text) for name, text in error.items()}
