"""The table of what a check answers, for docs/PROTOCOL.md: made from what answers."""

from collections.abc import Callable, Mapping

from node.core.answer import ADVICE, DOUBTS, Doubt, Verdict, cells
from node.core.list_type import KIND_NAMES


def answers_table() -> str:
    """One row for each doubt, one column for each kind of list and whether the subject is on it; what may be done."""
    found = {(doubt, kind, is_on_it): verdict for doubt, kind, is_on_it, verdict in cells()}
    columns = [(kind, is_on_it) for kind in KIND_NAMES for is_on_it in (True, False)]
    named = [f"{KIND_NAMES[kind]}, {'on it' if is_on_it else 'not on it'}" for kind, is_on_it in columns]
    lines = [_row(["doubt", *named, "where"]), _row(["---"] * (len(columns) + 2))]
    for doubt in (None, *Doubt):
        verdicts = [found[doubt, kind, is_on_it].upper() for kind, is_on_it in columns]
        where = DOUBTS[doubt] if doubt is not None else "all below is ruled out"
        lines.append(_row([doubt.value if doubt is not None else "none", *verdicts, where]))
    advice = [
        f"- {KIND_NAMES[kind]}, {verdict.upper()}: {ADVICE[kind, verdict]}"
        for kind in KIND_NAMES
        for verdict in Verdict
    ]
    return "\n".join([*lines, "", *advice]) + "\n"


def _row(cells_: list[str]) -> str:
    return f"| {' | '.join(cells_)} |"


BLOCKS: Mapping[str, Callable[[], str]] = {"answers": answers_table}
