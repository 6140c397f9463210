"""Correcting a record: the values that stand, with those that a decision puts right, through the door of every file."""

import asyncio
import json
from collections.abc import Mapping

from node.core.catalogue import Item
from node.core.errors import XinqiaoError
from node.core.record import Candidate, parse_record
from node.core.state import Place, day_of, disclosure_letter
from node.node import Node
from node.pb import admin_service_pb2 as pb
from node.rpc.publication import ReadBatches


async def right_values(node: Node, read_batches: ReadBatches, request: pb.ActOnRecordRequest) -> tuple[Candidate, str]:
    """The record as it is to be, and the edition of the rules it was judged by; raises why it cannot be published."""
    ref = request.ref
    place = Place(ref.epoch, ref.index, ref.position)
    content = node.publishing.values_at(ref.channel, place)
    held = node.publishing.channel_to_publish(ref.channel)
    edition = node.membership.edition_in_force
    if edition is None:
        raise XinqiaoError("VERDICT_CATALOGUE", version="in force")
    item = edition.item(held.manifest.item)
    row = json.dumps(_corrected(item, content, request.values), ensure_ascii=False).encode()
    as_of, law = day_of(node.world.clock.now_ms()), node.judging.law(())
    judged = (item, disclosure_letter(held.manifest.disclosure), as_of, law)
    _, _, batches = await asyncio.to_thread(read_batches, [row], "correction.jsonl", *judged)
    batch = await asyncio.to_thread(next, batches)
    for rejection in batch.rejections:
        raise rejection.defects[0].error
    return batch.candidates[0], law.edition.version


def _corrected(item: Item, content: bytes, changes: Mapping[str, str]) -> dict[str, str]:
    """The values by column code; raises ARGUMENT_INVALID for a column that the item lacks, or none at all."""
    if not changes:
        raise XinqiaoError("ARGUMENT_INVALID", argument="--set", detail="it is missing")
    codes = {field.code.lower(): field.code for field in item.fields}
    codes |= {field.title_zh: field.code for field in item.fields}
    unknown = [name for name in sorted(changes) if name.lower() not in codes]
    if unknown:
        detail = f"{unknown[0][:40]} is no column of {item.id}"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--set", detail=detail)
    fields = item.by_number
    values = {fields[number].code: text for number, text in parse_record(content).values.items() if number in fields}
    values |= {codes[name.lower()]: text for name, text in changes.items()}
    return {code: text for code, text in values.items() if text}
