"""The XML parts of a workbook, read as a stream: no document type, no entities, no token without end."""

from collections.abc import Iterator
from typing import IO
from xml.parsers import expat
from zipfile import ZipFile

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.ingest.archive import damage

PIECE_BYTES = 64 * 1024


class Part:
    """One XML part on its way through a parser, whose callbacks the reader of the part sets."""

    def __init__(self, archive: ZipFile, part: str, name: str, limits: Limits) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self._archive = archive
        self._part = part
        self._name = name
        self._limits = limits

    def pieces(self) -> Iterator[None]:
        """Parse the part piece by piece, yielding after each, when its callbacks have been called.

        Raises FILE_WORKBOOK for what is not well-formed or damaged, FILE_XML_ENTITIES for a document type.
        """
        with damage(self._name, self._part):
            stream = self._archive.open(self._part)
        with stream:
            yield from self._parse(stream)

    def _parse(self, stream: IO[bytes]) -> Iterator[None]:
        given, last = 0, b""
        while True:
            with damage(self._name, self._part):
                last = stream.read(PIECE_BYTES)
            given += len(last)
            try:
                self.parser.Parse(last, not last)
            except expat.ExpatError as why:
                raise self.broken(f"line {why.lineno} of {self._part} is no XML") from None
            yield
            if not last:
                return
            if given - self.parser.CurrentByteIndex > self._limits.max_xml_token_bytes:
                raise self.broken(f"{self._part} holds a name or comment without end")

    def broken(self, detail: str) -> XinqiaoError:
        """Return the refusal of a part that makes no sense."""
        return XinqiaoError("FILE_WORKBOOK", name=self._name, detail=detail)

    def _refuse(self, *_: object) -> None:
        raise XinqiaoError("FILE_XML_ENTITIES", name=self._name, detail=self._part)


def elements(archive: ZipFile, part: str, name: str, limits: Limits) -> list[tuple[str, dict[str, str]]]:
    """Return the elements of a small part in order: names without prefix, and attributes.

    Raises FILE_TOO_LARGE for a part over max_workbook_part_bytes, and what `Part.pieces` raises.
    """
    with damage(name, part):
        size = archive.getinfo(part).file_size
    if size > limits.max_workbook_part_bytes:
        raise XinqiaoError("FILE_TOO_LARGE", name=name, detail=f"{part} unpacks to {size} bytes")
    found: list[tuple[str, dict[str, str]]] = []
    reading = Part(archive, part, name, limits)

    def start(tag: str, attributes: dict[str, str]) -> None:
        found.append((tag.rpartition(":")[2], {key.rpartition(":")[2]: text for key, text in attributes.items()}))

    reading.parser.StartElementHandler = start
    for _ in reading.pieces():
        pass
    return found
