"""What records and acts are as rows, whatever the database."""

from node.core.state import Act, Applied, RecordInForce


def marked_records(applied: Applied, in_force: bool) -> list[tuple[RecordInForce, int | None]]:
    """The good records of an entry by position, each with what its column in_force will say."""
    marked = [(record, 1 if in_force else None) for record in applied.in_force]
    marked += [(record, None) for record in applied.behind]
    return sorted(marked, key=lambda each: each[0].position)


def act_row(channel_id: int, act: Act) -> tuple[int | None, ...]:
    """The row of an act."""
    at, target, new = act.place, act.target, act.replacement
    replacement = (None, None, None) if new is None else (new.epoch, new.index, new.position)
    place = (channel_id, at.epoch, at.index, at.position, act.kind, target.epoch, target.index, target.position)
    return (*place, act.at_ms, act.particulars, *replacement)
