from collections.abc import Callable, Mapping
from typing import TypeAlias

from node.core.slot_reading import Asked, Questioned
from node.core.sound import FieldReader

Found: TypeAlias = tuple[
    bytes, bytes, list[int], bytes, bytes, list[str], list[str], tuple[bytes, bytes], list[tuple[int, bytes]]
]

class SlotReader:
    def __init__(
        self, asked: Asked, read_field: FieldReader, judge: Callable[[Mapping[int, str], bool], Questioned]
    ) -> None: ...
    def build(self, values: dict[int, str], most_record_bytes: int) -> tuple[bytes, bytes, bytes, str, str] | None: ...
    def read(self, body: bytes, count: int, most_record_bytes: int) -> Found | None: ...
