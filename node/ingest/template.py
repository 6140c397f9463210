"""The workbook that a clerk fills in: a sheet of empty columns that are texts, and a sheet that explains them.

The first sheet has the Chinese names (* for what must be filled in) above the column codes, and from the third row
on lists for enumerations, a bound on lengths and a note that shows when a cell is chosen. Filled in, it is an input.
The second sheet, which reading passes over, has everything about each field in the language of the reader.
"""

from collections.abc import Iterator, Sequence
from typing import IO, Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from node.core.catalogue import Field, Item
from node.core.limits import DEFAULT_LIMITS
from node.ingest.examples import example_of
from node.ingest.field_texts import chosen, format_text, remarks_of, required_text, values_of
from node.ingest.headings import NOTES_MARK, Headings, letters_of
from node.ingest.sheet_writing import HEADING, MAX_ROWS, TEXT
from node.texts import is_chinese, joined, words

FIRST_ROW = 2
"""The first row to be filled in, from 0: names and codes stand above."""
_MAX_PROMPT, _MAX_PROMPT_TITLE, _MAX_SHEET_NAME = 255, 32, 31
_NO_SHEET_NAME = str.maketrans("", "", "[]:*?/\\'")
_WIDTHS = (7, 34, 18, 40, 34, 44, 44, 30, 3)
_NOTES_HEAD_ROWS = 7


def write_template(file: IO[bytes], item: Item, version: str) -> None:
    """Write the template of an item as the catalogue edition of this version has it."""
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    text, heading, wrapped = (book.add_format(one) for one in (TEXT, HEADING, TEXT | {"text_wrap": True}))
    notes_name = words("Notes")
    data = book.add_worksheet(item.title_zh.translate(_NO_SHEET_NAME)[:_MAX_SHEET_NAME] or item.id)
    notes = book.add_worksheet(notes_name)
    lists = _write_notes(notes, notes_name, item, version, (heading, wrapped))
    _write_columns(data, item, lists, (heading, text))
    book.close()


# -- the sheet to be filled in -------------------------------------------------------------------------------


def _write_columns(sheet: Worksheet, item: Item, lists: dict[str, str], formats: tuple[Format, Format]) -> None:
    heading, text = formats
    headings = Headings(item, DEFAULT_LIMITS)
    sheet.freeze_panes(FIRST_ROW, 0)
    for place, field in enumerate(item.fields):
        title = headings.title_of(field.code)
        sheet.set_column(place, place, max(14, min(2 * len(title) + 2, 40)), text)
        sheet.write_string(0, place, f"{title}*" if field.required == "yes" else title, heading)
        sheet.write_string(1, place, field.code, heading)
        sheet.data_validation(FIRST_ROW, place, MAX_ROWS - 1, place, _validation(field, lists.get(field.code, "")))


def _validation(field: Field, values: str) -> dict[str, Any]:
    """Return what a cell of a field takes; values is where the list of an enumeration stands."""
    name = field.title_zh if is_chinese() else field.title_en
    shown = {
        "input_title": name[:_MAX_PROMPT_TITLE],
        "input_message": "\n".join(_told(field))[:_MAX_PROMPT],
        "error_title": name[:_MAX_PROMPT_TITLE],
    }
    if not values:
        message = words("at most {count} characters", count=field.max_chars)
        return {"validate": "length", "criteria": "<=", "value": field.max_chars, "error_message": message} | shown
    # Where words may follow a value, or several stand in a cell, the list helps and refuses nothing.
    is_closed = not field.separators and not any(value.prefix for value in field.values)
    message = words("choose one of the list")
    return {"validate": "list", "source": values, "error_message": message, "show_error": is_closed} | shown


def _told(field: Field) -> Iterator[str]:
    """Yield what a person should know before filling in a cell."""
    yield required_text(field)
    yield format_text(field)
    yield from remarks_of(field)


# -- the sheet of explanations -------------------------------------------------------------------------------


def _write_notes(
    sheet: Worksheet, name: str, item: Item, version: str, formats: tuple[Format, Format]
) -> dict[str, str]:
    """Write the explanations, and return by column code where the list of an enumeration stands."""
    heading, text = formats
    for place, width in enumerate(_WIDTHS):
        sheet.set_column(place, place, width, text)
    for row, line in enumerate(_introduction(item, version)):
        sheet.write_string(row, 0, line)
    heads = [words("Column"), words("Name"), words("Code"), words("Must it be filled in"), words("Format")]
    heads += [words("Remarks"), words("Values (with the codes that may stand for them)"), words("Made-up example")]
    _write_row(sheet, _NOTES_HEAD_ROWS, heads, heading)
    example = example_of(item)
    for place, field in enumerate(item.fields):
        cells = [letters_of(place), _name(field), field.code, required_text(field), format_text(field)]
        cells += ["\n".join(remarks_of(field)), joined(values_of(field)), example.get(field.code, "")]
        _write_row(sheet, _NOTES_HEAD_ROWS + 1 + place, cells, text)
    return _write_lists(sheet, name, item, heading)


def _introduction(item: Item, version: str) -> Sequence[str]:
    title = item.title_zh if is_chinese() else f"{item.title_zh} ({item.title_en})"
    return (
        f"{NOTES_MARK} {words('This sheet explains the columns; nothing in it is published.')}",
        words("{title}: {item}, catalogue edition {version}", title=title, item=item.id, version=version),
        words(
            "Fill in the first sheet from row {row} on, a record in each row; * must be filled in.", row=FIRST_ROW + 1
        ),
        words("Its cells are texts. Paste values only, so that they stay so and no code loses a digit."),
        words("Do not change the first two rows; columns that nothing requires may be removed."),
        words("The example is made up: its codes check and are never issued."),
    )


def _name(field: Field) -> str:
    return field.title_zh if is_chinese() else f"{field.title_zh} {field.title_en}"


def _write_row(sheet: Worksheet, row: int, cells: Sequence[str], form: Format) -> None:
    for place, cell in enumerate(cells):
        sheet.write_string(row, place, cell, form)


def _write_lists(sheet: Worksheet, name: str, item: Item, heading: Format) -> dict[str, str]:
    """Write the lists to choose from, each in a column: in a cell's own rule they could have 255 characters."""
    found: dict[str, str] = {}
    fields = [field for field in item.fields if field.values]
    first = _NOTES_HEAD_ROWS + 1
    for place, field in enumerate(fields, start=len(_WIDTHS)):
        sheet.write_string(_NOTES_HEAD_ROWS, place, field.title_zh, heading)
        for row, value in enumerate(field.values, start=first):
            sheet.write_string(row, place, chosen(value))
        letters = letters_of(place)
        found[field.code] = f"='{name}'!${letters}${first + 1}:${letters}${first + len(field.values)}"
    return found
