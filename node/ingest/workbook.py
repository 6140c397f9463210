"""A workbook (xlsx, ECMA-376 and ISO/IEC 29500): its sheets, and their rows as a stream.

Only what rows need is read: the relations, the list of sheets, the number formats, the shared strings and the sheets
themselves. Nothing is computed, followed or run.
"""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.ingest.archive import open_archive
from node.ingest.number_formats import kinds_of
from node.ingest.shared_strings import SharedStrings, read_shared_strings
from node.ingest.sheets import SheetRow, sheet_rows
from node.ingest.xml_parts import Part, elements

_TYPES = "[Content_Types].xml"


class SheetPart(NamedTuple):
    """One sheet of a workbook: its name, the part of the archive that holds it, whether people see it."""

    name: str
    part: str
    hidden: bool


class _Relation(NamedTuple):
    kind: str
    target: str


class Workbook:
    """An open workbook; close it to give its files back."""

    def __init__(self, file: IO[bytes], name: str, directory: Path | None, limits: Limits) -> None:
        """Open the workbook in a file; name is what messages call it, directory is for what memory cannot hold.

        Raises XinqiaoError FILE_... for what is no workbook, damaged, or holds what a workbook of data may not.
        """
        self._file = file
        self._name = name
        self._limits = limits
        self._strings: SharedStrings | None = None
        self._archive = open_archive(file, name, limits)
        try:
            self._open(directory)
        except BaseException:
            self.close()
            raise

    def _open(self, directory: Path | None) -> None:
        # (1) which part is the workbook
        main = self._main_part()
        relations = self._relations(main)
        # (2) its sheets, and from when it counts days
        content = elements(self._archive, main, self._name, self._limits)
        self.since_1904 = any(
            tag == "workbookPr" and attributes.get("date1904") in ("1", "true") for tag, attributes in content
        )
        self.sheets = _sheets(content, relations)
        if len(self.sheets) > self._limits.max_workbook_sheets:
            raise XinqiaoError("FILE_TOO_LARGE", name=self._name, detail=f"{len(self.sheets)} sheets")
        # (3) what its cells refer to
        by_kind = {relation.kind: relation.target for relation in relations.values()}
        styles = by_kind.get("styles")
        self._kinds = kinds_of(elements(self._archive, styles, self._name, self._limits)) if styles else []
        shared = by_kind.get("sharedStrings")
        if shared:
            self._strings = read_shared_strings(self._archive, shared, self._name, directory, self._limits)

    def _main_part(self) -> str:
        types = elements(self._archive, _TYPES, self._name, self._limits)
        if any("macroEnabled" in attributes.get("ContentType", "") for _, attributes in types):
            raise XinqiaoError("FILE_MACROS", name=self._name, detail=_TYPES)
        relations = self._relations("")
        mains = [relation.target for relation in relations.values() if relation.kind == "officeDocument"]
        if not mains or not mains[0].startswith("xl/"):
            raise XinqiaoError("FILE_FORMAT", name=self._name, found="an Office document of another kind")
        if mains[0].endswith(".bin"):
            raise XinqiaoError("FILE_FORMAT", name=self._name, found="a binary workbook (xlsb)")
        return mains[0]

    def _relations(self, part: str) -> dict[str, _Relation]:
        """Return the relations of a part by id; those of the whole archive for part ""."""
        folder, file = posixpath.split(part)
        where = posixpath.join(folder, "_rels", f"{file}.rels")
        found: dict[str, _Relation] = {}
        for tag, attributes in elements(self._archive, where, self._name, self._limits):
            if tag != "Relationship":
                continue
            kind, target = posixpath.basename(attributes.get("Type", "")), attributes.get("Target", "")
            if attributes.get("TargetMode") == "External":
                raise XinqiaoError("FILE_EXTERNAL_LINKS", name=self._name, detail=kind[:80])
            path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[attributes.get("Id", "")] = _Relation(kind, path)
        return found

    def rows(self, sheet: SheetPart) -> Iterator[SheetRow]:
        """Yield the rows of a sheet that are not empty; raises FILE_WORKBOOK, also after some rows."""
        part = Part(self._archive, sheet.part, self._name, self._limits)
        return sheet_rows(part, self._string, self._kinds, self._limits)

    def _string(self, number: int) -> str:
        if self._strings is None:
            raise IndexError
        return self._strings.get(number)

    def close(self) -> None:
        """Give the files back."""
        if self._strings is not None:
            self._strings.close()
        self._archive.close()
        self._file.close()


def _sheets(content: list[tuple[str, dict[str, str]]], relations: dict[str, _Relation]) -> list[SheetPart]:
    """Return the sheets of cells in order; sheets of charts and dialogues hold no rows."""
    found = []
    for tag, attributes in content:
        relation = relations.get(attributes.get("id", ""))
        if tag == "sheet" and relation is not None and relation.kind == "worksheet":
            hidden = attributes.get("state", "visible") != "visible"
            found.append(SheetPart(attributes.get("name", ""), relation.target, hidden))
    return found
