"""The steps of the demonstration in which a joint list is broadcast, lifted, and, where it is old, not believed."""

import time
from collections.abc import Sequence
from functools import partial

from rich import box
from rich.table import Table

from scripts.demo_network import Demo
from scripts.xq_generate import example_uscc
from scripts.xq_places import BY_ID, PLACES, Place
from scripts.xq_stage import Document, demand

OWNER, READER = "310000", "330100"
CODE = "serious-tax"
CHANNEL = f"{OWNER}/lists/{CODE}"
SUBJECT = example_uscc("91", READER, 900)
OFFICERS = {OWNER: ("li", "wang"), READER: ("chen",)}
MATTER = "bidding.tender"
STALENESS_S = 8
CLEAR, LISTED, UNCONFIRMED = 0, 3, 4  # exit statuses of `xinqiao check`

MATTERS = f"""version: "2026.1"
in_force_from: "2026-01-01"
matters:
  - code: {MATTER}
    title_zh: 招标投标资格审查
    title_en: qualification of bidders
    units: ["{BY_ID[READER].authority}"]
    items: [penalty.2018]
    measures: [SHR-31-1]
    lists: [{CHANNEL}]
"""

DEFINITION = f"""code: {CODE}
title_zh: 重大税收违法失信主体名单（示例）
title_en: List of serious tax offenders (example)
kind: serious
authority: "{BY_ID[OWNER].authority}"
legal_basis:
  - {{title: 税收征收管理法, article: 第六十三条}}
entry_conditions: 逃避缴纳税款，经税务机关处理后仍不履行
exit_conditions: 缴清税款、滞纳金和罚款
remedy: 可申请行政复议或提起行政诉讼
measures: [SHR-31-1, SHR-31-2]
term_months: 36
disclosure: A
audience: everyone
staleness_limit_s: {STALENESS_S}
"""


def write_matters(demo: Demo) -> str:
    """Write the matters with which the network begins; returns the file."""
    (demo.work / "matters.yaml").write_text(MATTERS, "utf-8")
    return "matters.yaml"


# --- Listing --------------------------------------------------------------------------------------------------


def broadcast(demo: Demo) -> None:
    """Define a list, put a subject on it by two officers, see it applied everywhere and answered elsewhere."""
    for node, names in OFFICERS.items():
        for name in names:
            _add_officer(demo, node, name)
    (demo.work / "serious-tax.yaml").write_text(DEFINITION, "utf-8")
    demo.product.run("list", "define", "serious-tax.yaml", "--home", BY_ID[OWNER].home, show=True)
    change = demo.product.run(
        *("list", "add", CODE, "--home", BY_ID[OWNER].home, "--subject", SUBJECT, "--name", "示例公司"),
        *("--decision", "示例〔2026〕1号", "--reason", "示例：逃避缴纳税款", "--measures", "SHR-31-1"),
        *("--decided-on", "2026-09-18", "--notice-served", "2026-09-01", *_by(OWNER, 0)),
        show=True,
    )["change"]["id"]
    _show_that_one_officer_is_not_enough(demo, change)
    entry = _approve(demo, change)["entries"][0]
    _watch_delivery(demo, "listing")
    found = _check(demo, LISTED, show=True)
    (listed,) = [each for each in found["lists"] if each["entries"]]
    measure = listed["entries"][0]["measures"][0]
    basis = listed["list"]["legal_basis"][0]
    demo.screen.good(f"{READER} answers LISTED: {measure['code']} may be applied ({basis['title']} {basis['article']})")
    demo.screen.good(f"the evidence is {entry}")
    demo.summary["listing"] |= {"subject": SUBJECT, "entry": entry, "measure": measure["code"]}


def _add_officer(demo: Demo, node: str, name: str) -> None:
    secret = demo.work / _passphrase(node, name)
    secret.touch(0o600)
    secret.write_text(f"demonstration {node} {name}\n", "utf-8")
    demo.product.run(
        *("officer", "add", name, "--home", BY_ID[node].home, "--passphrase-file", _passphrase(node, name)),
        show=name == OFFICERS[OWNER][0],
        more="and likewise the others, each with a key and a passphrase of her own",
    )


def _passphrase(node: str, name: str) -> str:
    return f"{node}-{name}.passphrase"


def _by(node: str, number: int) -> Sequence[str]:
    """The options by which an officer signs."""
    name = OFFICERS[node][number]
    return "--officer", name, "--passphrase-file", _passphrase(node, name)


def _show_that_one_officer_is_not_enough(demo: Demo, change: str) -> None:
    error = demo.product.refusal("list", "approve", change, "--home", BY_ID[OWNER].home, *_by(OWNER, 0))
    demand(error["code"] == "LIST_SAME_OFFICER", "the proposer has approved", error)
    demo.screen.good(f"refused: {error['code']}: {error['text']}")


def _approve(demo: Demo, change: str) -> Document:
    approved = demo.product.run("list", "approve", change, "--home", BY_ID[OWNER].home, *_by(OWNER, 1), show=True)
    demand(approved["state"] == "published", "an approved change is not published", approved)
    return approved


# --- Lifting --------------------------------------------------------------------------------------------------


def lift(demo: Demo) -> None:
    """Take the subject off the list; every node signs for it, and the signed report verifies offline."""
    place = demo.summary["listing"]["entry"].rpartition("#")[2]
    change = demo.product.run(
        *("list", "exit", CODE, place, "--home", BY_ID[OWNER].home, "--ground", "conditions-met"),
        *("--decision", "示例〔2026〕2号", "--reason", "示例：已缴清", *_by(OWNER, 0)),
        show=True,
    )["change"]["id"]
    _approve(demo, change)
    _watch_delivery(demo, "exit")
    _check(demo, CLEAR, show=True)
    demo.screen.good(f"{READER} answers CLEAR")
    _prove_delivery(demo)


def _watch_delivery(demo: Demo, name: str) -> None:
    """Read the owner's ledger until every node has applied the newest entry of the list."""
    demo.crew.until(f"nodes have applied the {name}", len(PLACES), lambda: _ledger(demo)["applied"])
    ledger = _ledger(demo, show=True)
    demand(ledger["applied"] == ledger["total"] == len(PLACES), "the ledger is not complete", ledger)
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("node", "state", "receipt: applied entries"):
        table.add_column(column)
    for row in ledger["rows"]:
        table.add_row(row["node"], row["state"], "origin" if row["origin"] else str(row["applied_size"]))
    demo.screen.table(table)
    demo.screen.good(f"{name}: {ledger['applied']}/{ledger['total']} applied, by the receipts that each has signed")
    demo.summary[name] = {"applied": ledger["applied"], "total": ledger["total"]}


def _ledger(demo: Demo, show: bool = False) -> Document:
    return demo.product.run("list", "delivery", CODE, "--home", BY_ID[OWNER].home, show=show)


def _prove_delivery(demo: Demo) -> None:
    """Write the ledger as signed evidence, verify it offline, and see that one altered bit is found."""
    demo.product.run("list", "delivery", CODE, "-o", "exit.xq", "--home", BY_ID[OWNER].home, show=True)
    anchor = ("--root-fingerprint", demo.root_fingerprint)
    demo.product.run("verify", "exit.xq", *anchor, show=True)
    demo.screen.good("the report of the exit verifies offline, receipt by receipt")
    content = bytearray((demo.work / "exit.xq").read_bytes())
    # The last place that names the list is in the last receipt.
    content[content.rindex(CHANNEL.encode())] ^= 1
    (demo.work / "exit-damaged.xq").write_bytes(content)
    error = demo.product.refusal("verify", "exit-damaged.xq", *anchor)
    demo.screen.good(f"with one bit of a receipt turned: {error['code']}: {error['text']}")


# --- Asking, and the age of what is answered ------------------------------------------------------------------


def _check(demo: Demo, status: int, show: bool = False) -> Document:
    """Ask at the reader until it answers so; what stands in its query log grows with each."""
    asked = (
        *("check", "--subject", SUBJECT, "--matter", MATTER, "--unit", BY_ID[READER].authority),
        *("--ground", "招标投标法 第十八条", "--officer", OFFICERS[READER][0], "--home", BY_ID[READER].home),
    )
    limit = time.monotonic() + STALENESS_S * 4
    while True:
        found = demo.product.run(*asked, statuses=(CLEAR, LISTED, UNCONFIRMED), show=show)
        show = False
        verdict = ("CLEAR", "LISTED", "UNCONFIRMED")[(CLEAR, LISTED, UNCONFIRMED).index(status)]
        if found["verdict"] == f"QUERY_VERDICT_{verdict}":
            return found
        demand(time.monotonic() < limit, f"{READER} does not answer {verdict}", found)
        time.sleep(0.2)


def age(demo: Demo) -> None:
    """Let the reader hear of nobody until its copy is too old, then of everybody again."""
    others = [place.id for place in PLACES if place.id != READER]
    with demo.product.paused(others):
        demo.screen.say(f"{READER} hears of nobody; a copy of this list is good for {STALENESS_S} s without its origin")
        found = _check(demo, UNCONFIRMED, show=True)
    (doubtful,) = [each for each in found["lists"] if each["channel"] == CHANNEL]
    demo.screen.good(f"{READER} answers UNCONFIRMED ({', '.join(doubtful['doubts'])}): {doubtful['advice']}")
    _check(demo, CLEAR)
    demo.screen.good("everybody is back, and it answers CLEAR again")
    demo.crew.until("nodes linked again", len(PLACES), lambda: demo.crew.count(PLACES, partial(_is_linked, demo)))
    verified = demo.product.run("queries", "verify", "--home", BY_ID[READER].home, show=True)
    demo.screen.good(f"every question is in the query log of {READER}, in an unbroken chain")
    demo.summary["ageing"] = {"doubts": doubtful["doubts"], "queries": verified["sequence"]}


def _is_linked(demo: Demo, place: Place) -> bool:
    return not any(peer["failure"]["code"] for peer in demo.product.run("peers", "--home", place.home)["peers"])
