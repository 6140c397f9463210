"""What can be wrong with a record, its row or its file: the texts of the codes that ingest and validation use.

Each row is code: (what is wrong, what to do). `errors.CODES` takes them all in as the family RULE (a record or
a row) or OPERATOR (a whole file), so there is one table to look codes up in. No text has a parameter for the
value of a cell: a refusal is logged, counted and sent to other nodes, and the cell may hold a person's number.
"""

RECORD_DEFECTS: dict[str, tuple[str, str]] = {
    # -- a row that a rule holds for review, and that cannot wait
    "HOLD_APPROVED": (
        "two officers have released another row of the same decision, which is about to be published ({hold})",
        "publish the row again when `xinqiao holds show {hold}` says that the other one is published",
    ),
    "HOLD_REFUSED": (
        "two officers have refused this very row ({hold})",
        "correct the text that is held, or leave the row out; see `xinqiao holds show {hold}`",
    ),
    "HOLDS_FULL": (
        "{limit} rows wait for the officers already, and there is no room for more",
        "have the officers decide, see `xinqiao holds list`; then publish the row again",
    ),
    # -- a rule bars the whole record
    "RULE_ARREARS_NOT_DUE": (
        "arrears count only after a dunning and more than {months} months ({rule}; {article})",
        "publish the row when {title} says so",
    ),
    "RULE_CONSENT_MISSING": (
        "{title}: may be collected only with the person's written consent ({rule}; {article})",
        "fill in what proves the consent, or leave the value out",
    ),
    "RULE_DISCLOSURE_EXCEEDED": (
        "{title}: fewer may see the record than read this channel ({rule}; {article})",
        "publish the row on a channel of a narrower class",
    ),
    "RULE_DOCUMENT_NOT_REQUIRED": (
        "the item {title} does not demand the number of the effective document ({rule}; {article})",
        "the officers must publish a catalogue edition in which it does",
    ),
    "RULE_FINALITY_UNSTATED": (
        "nothing says whether the decision is final ({rule}; {article})",
        "fill in the column, or declare it for the whole file",
    ),
    "RULE_LATE": (
        "{title}: more than {working_days} working days before the publication ({rule}; {article})",
        "publish sooner after the decision",
    ),
    "RULE_MINOR": (
        "the person was under {years} at the decision ({rule}; {article})",
        "take the row out: acts of minors are not credit information",
    ),
    "RULE_NATURAL_PERSON_PUBLIC": (
        "a natural person may not be published on a channel of class A ({rule}; {article})",
        "publish the row on a channel of class B or C",
    ),
    "RULE_NOT_FINAL": (
        "a decision that can still be appealed against is not collected ({rule}; {article})",
        "publish the row when the decision is final",
    ),
    "RULE_NOT_IMPOSED": (
        "a decision that imposes nothing is not credit information ({rule}; {article})",
        "take the row out; if the kind of penalty is wrong, correct {title}",
    ),
    "RULE_ONLY_PENALTY": (
        "a decision that imposes only this is not published ({rule}; {article})",
        "take the row out of this channel; if the kind of penalty is wrong, correct {title}",
    ),
    "RULE_PROCEDURE_UNSTATED": (
        "nothing says by which procedure the penalty was imposed ({rule}; {article})",
        "fill in the column, or declare it for the whole file",
    ),
    "RULE_PROHIBITED_FIELD": (
        "{title}: must not be collected of natural persons ({rule}; {article})",
        "the officers must publish a catalogue edition without the column",
    ),
    "RULE_PROHIBITED_WORDS": (
        "{title}: may hold what must not be collected of natural persons ({rule}; {article})",
        "write the text without it; a row that must stay as it is waits for two officers",
    ),
    "RULE_SIMPLE_PROCEDURE": (
        "a penalty of the simple procedure is not credit information ({rule}; {article})",
        "take the row out; if the procedure is wrong, correct {title}",
    ),
    # -- the record against its catalogue item
    "RECORD_CORRECTED": (
        "these values were corrected by the decision {decision}",
        "correct the row in its source",
    ),
    "RECORD_FIELD_UNKNOWN": (
        "the item {item} has no field number {number} ({rule}; {article})",
        "send only fields of the catalogue edition in force",
    ),
    "RECORD_ITEM_UNKNOWN": (
        "the catalogue edition {version} has no item {item!r} ({rule}; {article})",
        "name one of: {known}",
    ),
    "RECORD_STOPPED": (
        "the record is {standing} (decision {decision}) and is not published again",
        "take the row out of the file; a new decision on the subject has a number of its own",
    ),
    "RECORD_TOO_LARGE": (
        "the record has {size} bytes, at most {limit} are allowed",
        "shorten its longest texts, or put the rest into a document",
    ),
    # -- one field
    "FIELD_AMOUNT": (
        "{title}: not an amount with at most {places} decimals",
        "write digits and a decimal point only: no sign, unit, thousands separator or exponent",
    ),
    "FIELD_BEFORE": ("{title}: earlier than {other}", "correct one of the two dates"),
    "FIELD_BLANK": ("{title}: holds only spaces", "give the value or leave the cell empty"),
    "FIELD_CHARACTERS": (
        "{title}: holds control or invisible direction characters, or characters lost in a conversion",
        "write the text again, and save the file as UTF-8",
    ),
    "FIELD_CODE_SPREADSHEET": (
        "{title}: looks like spreadsheet damage, the last digits are lost",
        "copy the code again from the source and format the column as text before opening the file",
    ),
    "FIELD_DATE": ("{title}: not a date", "write YYYY-MM-DD, e.g. 2026-03-01"),
    "FIELD_DATE_RANGE": (
        "{title}: the year is not between 1900 and 2099",
        "correct the year; a long-term validity is written 2099-12-31",
    ),
    "FIELD_DIGITS": ("{title}: not all digits", "write digits only"),
    "FIELD_DIVISION_PROVINCE": ("{title}: no province has this division code", "look the code up in GB/T 2260"),
    "FIELD_DIVISION_SHAPE": ("{title}: not a division code of 6 digits", "write the 6 digits of GB/T 2260"),
    "FIELD_ENUM": ("{title}: not one of the values of the catalogue", "write one of: {values}"),
    "FIELD_FUTURE": ("{title}: after {as_of}", "correct the date, or publish the row when it is due"),
    "FIELD_MISSING": ("{title}: missing{because}", "fill in {field}"),
    "FIELD_NEVER_PUBLIC": (
        "{title}: may not stand in a record of class A",
        "the origin must take the value out before it signs",
    ),
    "FIELD_ORG_CODE_CHECK_DIGIT": ("{title}: the check digit does not match", "copy the code again from the source"),
    "FIELD_ORG_CODE_SHAPE": (
        "{title}: not an organisation code of 9 characters",
        "write 8 digits or capital letters and the check character, without hyphen",
    ),
    "FIELD_RESIDENT_ID_15": (
        "{title}: a resident identity number of 15 digits, which is no longer valid",
        "ask for the number of 18 characters",
    ),
    "FIELD_RESIDENT_ID_CHECK_DIGIT": ("{title}: the check digit does not match", "copy the number again"),
    "FIELD_RESIDENT_ID_DATE": ("{title}: the birth date in the number is no date", "copy the number again"),
    "FIELD_RESIDENT_ID_PUBLIC": (
        "{title}: a resident identity number stands in the text, which may not be published on a channel of class A",
        "take the number out of the text, or publish the row on a channel of class B or C",
    ),
    "FIELD_RESIDENT_ID_SHAPE": (
        "{title}: not a resident identity number of 18 characters",
        "write 17 digits and the check character, with a capital X",
    ),
    "FIELD_TOO_LONG": ("{title}: longer than {max_chars} characters", "shorten the text"),
    "FIELD_USCC_CHECK_DIGIT": ("{title}: the check digit does not match", "copy the code again from the source"),
    "FIELD_USCC_PLACEHOLDER": (
        "{title}: the placeholder stands only for a sole trader without a code ({rule}; {article})",
        "write the unified social credit code",
    ),
    "FIELD_USCC_RESIDENT_ID": (
        "{title}: holds a resident identity number",
        "move the number into its own column; a company's code goes here",
    ),
    "FIELD_USCC_SHAPE": (
        "{title}: not a unified social credit code of 18 characters",
        "write the 18 digits and capital letters without spaces",
    ),
    # -- one cell of a file
    "CELL_AMOUNT": (
        "{title}: not an amount that comes out exact to 0.01 yuan ({unit} by its heading)",
        "write the amount out as it stands in the decision, in the unit of the heading",
    ),
    "CELL_CODE_NUMBER": (
        "{title}: stands there as a number; a spreadsheet keeps 15 digits of one, the others are lost",
        "copy it again from the source and format the column as text before typing or pasting",
    ),
    "CELL_DATE": (
        "{title}: a number that is no day of the workbook (days are counted from 1900 or 1904; 1900-02-29 never was)",
        "write YYYY-MM-DD, e.g. 2026-03-01",
    ),
    "CELL_DATE_IN_TEXT": (
        "{title}: the spreadsheet has turned the text into a date",
        "format the column as text and type it again",
    ),
    "CELL_ERROR": ("{title}: the cell shows {shown}", "correct the formula, or type the value in its place"),
    "CELL_FORMULA": (
        "{title}: a formula whose result is not stored in the file",
        "open and save the file in a spreadsheet, or paste the values in the place of the formulas",
    ),
    "CELL_PASSED_OVER": (
        "{title}: this column is not published, and only {values} may stand in it",
        "take the row out; what has been revoked or is disputed is told by a status entry",
    ),
    "CELL_WITHOUT_HEADING": (
        "a cell holds something and its column has no heading",
        "empty the cell or name the column",
    ),
    # -- one row of a file
    "ROW_COLUMN_COUNT": ("the row has {found} cells, the header {expected}", "quote cells that hold a comma"),
    "ROW_EMPTY": ("the row has no value in any column", "delete the row"),
    "ROW_ENCODING": ("the row is not {encoding} text", "save the whole file in one encoding, UTF-8 or GB18030"),
    "ROW_JSON": ("the line is not a JSON object of texts: {detail}", "write one object per line, each value a text"),
    "ROW_COLUMN_UNKNOWN": ("the item has no column {column!r}; the nearest is {nearest}", "correct the name"),
    "ROW_QUOTES": ("the quotes do not match: {detail}", 'close each quoted cell, and write " as "" inside it'),
    "ROW_TOO_LONG": ("the row is longer than {limit} bytes", "close an open quote, or shorten the row"),
}

FILE_DEFECTS: dict[str, tuple[str, str]] = {
    "FILE_COLUMNS_MISSING": ("{name}: the header lacks {columns}", "add the columns; {item} needs them in every row"),
    "FILE_COLUMNS_REPEATED": ("{name}: the header has {columns} more than once", "keep one of each"),
    "FILE_COLUMNS_UNKNOWN": ("{name}: {item} has no column {columns}", "correct the header: {nearest}"),
    "FILE_EMPTY": ("{name} holds no rows", "check the export; nothing was published"),
    "FILE_ENCRYPTED": (
        "{name} is protected by a password, or of the old kind (xls)",
        "save it without a password as a workbook (xlsx)",
    ),
    "FILE_ENCODING": (
        "{name} is neither UTF-8 nor GB18030 text: {detail}",
        "save it as CSV (UTF-8) and publish it again",
    ),
    "FILE_FORMAT": (
        "{name} is {found}, not a workbook (xlsx), CSV or JSON lines",
        "save it as a workbook (xlsx) or CSV (UTF-8), or as one JSON object per line",
    ),
    "FILE_EXTERNAL_LINKS": (
        "{name} takes values from other files or databases ({detail})",
        "break the links (in Excel: Data, Edit Links, Break Link), save it and publish it again",
    ),
    "FILE_HEADER": (
        "{name}: none of its first {rows} rows is a header of {item}",
        "put the column codes or the Chinese names of the fields above the rows, e.g. {example}",
    ),
    "FILE_MACROS": ("{name} holds macros ({detail})", "save it as a workbook without macros (xlsx)"),
    "FILE_TOO_LARGE": ("{name} is larger than a file may be: {detail}", "split it into several files"),
    "FILE_WORKBOOK": (
        "{name} cannot be read as a workbook: {detail}",
        "open it in a spreadsheet, save it as a new workbook (xlsx) and publish that",
    ),
    "FILE_XML_ENTITIES": (
        "{name} declares entities or a document type in {detail}, which no spreadsheet writes",
        "do not use this file; ask whoever sent it where it comes from",
    ),
    "SHEET_PASSED_OVER": (
        "{name}: the sheet {sheet!r} has been passed over: {detail}",
        "if its rows belong here, show the sheet or give it a header, and publish the file again",
    ),
    "CATALOGUE_UNKNOWN": ("the catalogue edition {version} is not among those known here", "name one of: {known}"),
    "RULES_UNKNOWN": ("the rules edition {version} is not known here", "name one of: {known}"),
    "RULE_UNKNOWN": ("the rules edition {version} has no rule {rule!r}", "name one of: {known}"),
    # -- files of the simulator
    "FAILURE_FILE": (
        "{file} is no failure of a simulation: {detail}",
        "give a file that `xinqiao simulate` has written",
    ),
    "SCENARIO": ("{file} is no scenario: {detail}", "correct it; `xinqiao simulate --keys` explains every key"),
}

# What is no fault of a sound code, but worth a look by a person: it refuses nothing.
DOUBTS: dict[str, tuple[str, str]] = {
    "DOUBT_DIVISION": (
        "{title}: no division since 1980 that this version knows has this code, in {rows} rows",
        "compare it with GB/T 2260; if it is new there, nothing is to be done",
    ),
    "DOUBT_RULE": ("{rows} rows: {said}", "{what}"),
    "DOUBT_RESIDENT_ID_DIVISION": (
        "{title}: the number begins with no division since 1980 that this version knows, in {rows} rows",
        "compare the number with the document; if they agree, nothing is to be done",
    ),
    "DOUBT_USCC_DIVISION": (
        "{title}: the code names a city that this version does not know, in {rows} rows",
        "compare the code with the register; if they agree, nothing is to be done",
    ),
}

CATALOGUE_DEFECTS: dict[str, tuple[str, str]] = {
    "CALENDAR_INVALID": (
        "the calendar of working days cannot be used: {detail}",
        "correct the calendar and have the officers publish it again",
    ),
    "CALENDAR_SHORT": (
        "the calendar of working days does not know {day}: deadlines from there on are provisional",
        "the officers publish the next calendar with `xinqiao registry propose calendar`",
    ),
    "CATALOGUE_DISCLOSURE": (
        "the item {item} may not be published with disclosure class {disclosure}",
        "choose one of: {allowed}",
    ),
    "CATALOGUE_INVALID": (
        "the catalogue edition cannot be used: {detail}",
        "correct the edition and have the officers publish it again",
    ),
    "RULES_INVALID": (
        "the rules edition cannot be used: {detail}",
        "correct the edition and have the officers publish it again",
    ),
}

# What an authentic entry may say that has no effect: (what is wrong, who must act, what to do). It is receipted.
VERDICTS: dict[str, tuple[str, str, str]] = {
    "VERDICT_AUTHORITY": (
        "{origin} may not speak for the authority {authority}",
        "{origin}",
        "have the officers list the authority in the descriptor of {origin}",
    ),
    "VERDICT_CATALOGUE": (
        "the catalogue edition {version} is not known here",
        "you",
        "wait for the registry's next refresh",
    ),
    "VERDICT_FUTURE": (
        "the entry is dated beyond every calendar",
        "its origin",
        "its origin must correct its clock",
    ),
    "VERDICT_KIND": ("entries of this kind mean nothing to this version", "you", "install a newer version"),
    "VERDICT_LIST": (
        "this is no part of an entry of a list, or the channel is no list",
        "its origin",
        "its origin must write the operation again, as the list is defined",
    ),
    "VERDICT_LIST_AUTHORITY": (
        "{origin} may not speak for the authority {authority}, which determines the list",
        "{origin}",
        "have the officers list the authority in the descriptor of {origin}",
    ),
    "VERDICT_LIST_DATES": (
        "the subject was not told before the entry was written, or the last day is outside the term of the list",
        "its origin",
        "its origin must write the operation again with the right dates",
    ),
    "VERDICT_LIST_MEASURE": (
        "a measure is attached that the type of the list does not have",
        "its origin",
        "its origin must leave the measure out, or define the list with it",
    ),
    "VERDICT_LIST_MINOR": (
        "a person was listed who was under 18 at the decision (R-INC-1)",
        "its origin",
        "its origin must take the entry off the list: minors never stand on one",
    ),
    "VERDICT_LIST_PERSON": (
        "a natural person was listed on a public list (R-DIS-3)",
        "its origin",
        "its origin must take the entry off the list, and list the person on one of class B or C",
    ),
    "VERDICT_LIST_STATE": (
        "the operation may not follow what was done to the entry before",
        "its origin",
        "nothing is to be done where two have done the same; see `xinqiao list entry ENTRY`",
    ),
    "VERDICT_LIST_SUBJECT": (
        "the subject has no sound code, or an operation names one that may not",
        "its origin",
        "its origin must take the entry off the list and write it again with the right code",
    ),
    "VERDICT_LIST_TARGET": (
        "the entry of the list that the operation changes is not known",
        "its origin",
        "its origin must name an entry of the same list",
    ),
    "VERDICT_LIST_WARRANT": (
        "the officers' signatures that the kind of the list needs are missing, or are about something else",
        "its origin",
        "have the officers of the origin propose, and for a serious list approve, the change again",
    ),
    "VERDICT_MANIFEST": ("the manifest makes no sense", "its origin", "its origin must write another manifest"),
    "VERDICT_REASON": (
        "decision or reason hold the identity number of a person, and the channel is public",
        "its origin",
        "leave the number out: the decision is named by its own number",
    ),
    "VERDICT_RECORD": ("the record cannot be read: {detail}", "its origin", "its origin must correct it"),
    "VERDICT_RULES": (
        "the rules edition {version} is not known here",
        "you",
        "wait for the registry's next refresh",
    ),
    "VERDICT_STATUS": ("the status operation has no effect", "its origin", "its origin must correct it"),
}
