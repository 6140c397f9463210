"""Codes of subjects, places and nodes: their shapes, check digits and what usually damages them.

Every `*_fault` function answers None for a sound code and otherwise the error code that names the fault, so
that the sender's ingest and the receiver's validation refuse with the same words. A code is never repaired
here: values travel byte for byte as published, and a wrong one goes back to whoever wrote it.

    USCC           18 characters, GB 32100-2015: registering authority, kind of entity, division (6), organisation
                   code (9, itself checked by GB 11714), check character
    organisation   9 characters, GB 11714
    resident id    18 characters, GB 11643-1999; the 15 digits of before 1999 are refused
    division       6 digits, GB/T 2260
"""

import re
from datetime import date
from functools import lru_cache
from operator import mul
from unicodedata import normalize

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_LENGTH = 18
USCC_PLACEHOLDER = "00000000000000000X"
"""Written where a sole trader has no USCC; it fails the check digit and is never a key."""

_PROVINCE_RANGES = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 82))
PROVINCES = frozenset(str(code) for first, last in _PROVINCE_RANGES for code in range(first, last + 1))
"""The first two digits of the 34 province-level divisions of GB/T 2260."""
NATION_DIVISIONS = frozenset({"000000", "100000"})
_USCC_PROVINCES = PROVINCES | {"00", "10"}

# The first character is the registering authority: 1 to 9, A (military), N (agriculture) and Y (others) in the
# standard, and later ministries take further letters, so that only 0 is refused; the check character guards.
_USCC_SHAPE = re.compile(f"(?!0)[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}")
_USCC_WEIGHTS = (*(pow(3, place, 31) for place in range(17)), 1)
_USCC_VALUES = bytes(max(USCC_ALPHABET.find(chr(byte)), 0) for byte in range(256))

_ORG_CODE_SHAPE = re.compile(r"[0-9A-Z]{8}[0-9X]")
_ORG_CODE_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORG_CODE_CHECKS = "0X987654321"  # by the weighted sum modulo 11

RESIDENT_ID_LENGTH = 18
_RESIDENT_ID_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
_RESIDENT_ID_15_SHAPE = re.compile(r"[1-9][0-9]{14}")
# Looked for ahead, so that every place is tried: the number may stand within more digits.
_RESIDENT_ID_IN_TEXT = re.compile(r"(?=([1-9１-９](?:[\s-]?[0-9０-９]){16}[\s-]?[0-9０-９XxＸｘ]))")
_MANY_DIGITS = re.compile(r"[0-9０-９\s-]{17}")
_SEPARATORS = re.compile(r"[\s-]")
_RESIDENT_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_ID_CHECKS = "10X98765432"  # by the weighted sum modulo 11

_DIVISION_SHAPE = re.compile(r"[0-9]{6}")
_NODE_ID_SHAPE = re.compile(r"[0-9]{6}|[a-z][a-z0-9-]{1,30}")
_DATE_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# A spreadsheet keeps 15 digits of a number: an 18-digit code comes back ending in 000, or in E notation.
_ROUNDED = re.compile(r"[0-9]{15}000(\.0+)?")
_E_NOTATION = re.compile(r"[0-9](\.[0-9]{1,16})?[Ee]\+?[0-9]{1,3}")

_BRACKETS = str.maketrans("([【〔〖{)]】〕〗}", "〔〔〔〔〔〔〕〕〕〕〕〕")
_OTHER_BRACKET = re.compile(r"[(\[【〖{)\]】〗}]")
_INVISIBLE = re.compile("[\\s\u200b-\u200f\u2060\ufeff\u00ad]+")


# --- Organisations ------------------------------------------------------------------------------------------


def uscc_check_character(first_17: str) -> str:
    """Return the check character of the first 17 characters of a USCC (GB 32100-2015).

    Raises ValueError where they are not 17 characters of the alphabet.
    """
    values = [USCC_ALPHABET.index(character) for character in first_17]
    if len(values) != USCC_LENGTH - 1:
        raise ValueError("a USCC has 17 characters before its check character")
    return USCC_ALPHABET[-sum(map(mul, values, _USCC_WEIGHTS)) % 31]


def uscc_fault(code: str) -> str | None:
    """Return the fault of a unified social credit code, None if it is sound (GB 32100-2015)."""
    # Only codes of the right length are remembered, so that the memory stays bounded whatever a peer sends.
    if len(code) != USCC_LENGTH:
        return "FIELD_CODE_SPREADSHEET" if spreadsheet_damage(code) else "FIELD_USCC_SHAPE"
    return _uscc_fault(code)


@lru_cache(maxsize=4096)
def _uscc_fault(code: str) -> str | None:
    """Return the fault of 18 characters; authorities repeat all through a file, hence the memory."""
    if not _USCC_SHAPE.fullmatch(code):
        return "FIELD_USCC_PLACEHOLDER" if code == USCC_PLACEHOLDER else "FIELD_USCC_SHAPE"
    if not _uscc_sums_to_zero(code):
        return "FIELD_CODE_SPREADSHEET" if spreadsheet_damage(code) else "FIELD_USCC_CHECK_DIGIT"
    return "FIELD_USCC_RESIDENT_ID" if _is_a_resident_id(code) else None


def _is_a_resident_id(code: str) -> bool:
    """Tell whether a code that sums up as a USCC (one resident id in 31 does) is a person's number.

    The id must not slip into a public channel in the wrong column. No real USCC is caught: its third and fourth
    character are a province or the nation, and the organisation code in it has a check digit of its own.
    """
    if resident_id_fault(code) is not None:
        return False
    return code[2:4] not in _USCC_PROVINCES or org_code_fault(code[8:17]) is not None


def _uscc_sums_to_zero(code: str) -> bool:
    total: int = sum(map(mul, code.encode().translate(_USCC_VALUES), _USCC_WEIGHTS))
    return total % 31 == 0


def is_uscc(code: str) -> bool:
    """Tell whether a code is a sound USCC; the placeholder is not one."""
    return uscc_fault(code) is None


def spreadsheet_damage(code: str) -> bool:
    """Tell whether a code looks like one that a spreadsheet turned into a number.

    Either E notation (9.13302E+17), or 18 digits that end in 000 and pass neither the check digit of a USCC nor
    that of a resident id.
    """
    if _E_NOTATION.fullmatch(code):
        return True
    if not _ROUNDED.fullmatch(code):
        return False
    digits = code[:18]
    return not _uscc_sums_to_zero(digits) and resident_id_check_character(digits[:17]) != digits[17]


def org_code_check_character(first_8: str) -> str:
    """Return the check character of the first 8 characters of an organisation code (GB 11714).

    Raises ValueError where they are not 8 digits or capital letters.
    """
    if not re.fullmatch(r"[0-9A-Z]{8}", first_8):
        raise ValueError("an organisation code has 8 digits or capital letters before its check character")
    values = [int(character, 36) for character in first_8]
    return _ORG_CODE_CHECKS[sum(map(mul, values, _ORG_CODE_WEIGHTS)) % 11]


def org_code_fault(code: str) -> str | None:
    """Return the fault of an organisation code written as 9 characters, None if it is sound (GB 11714)."""
    if not _ORG_CODE_SHAPE.fullmatch(code):
        return "FIELD_ORG_CODE_SHAPE"
    if org_code_check_character(code[:8]) != code[8]:
        return "FIELD_ORG_CODE_CHECK_DIGIT"
    return None


# --- Persons ------------------------------------------------------------------------------------------------


def resident_id_fault(code: str) -> str | None:
    """Return the fault of a resident identity number, None if it is sound (GB 11643-1999).

    Length, birth date and check character are hard. The division is not looked up: numbers keep the code of
    districts that were renamed, merged or did not exist yet in any one table.
    """
    if not _RESIDENT_ID_SHAPE.fullmatch(code):
        return _resident_id_shape_fault(code)
    if resident_birth_date(code) is None:
        return "FIELD_RESIDENT_ID_DATE"
    if resident_id_check_character(code[:17]) != code[17]:
        return "FIELD_CODE_SPREADSHEET" if spreadsheet_damage(code) else "FIELD_RESIDENT_ID_CHECK_DIGIT"
    return None


def _resident_id_shape_fault(code: str) -> str:
    if _RESIDENT_ID_15_SHAPE.fullmatch(code):
        return "FIELD_RESIDENT_ID_15"
    return "FIELD_CODE_SPREADSHEET" if spreadsheet_damage(code) else "FIELD_RESIDENT_ID_SHAPE"


def resident_id_check_character(first_17: str) -> str:
    """Return the check character of the first 17 digits of a resident identity number (GB 11643-1999)."""
    return _RESIDENT_ID_CHECKS[sum(map(mul, map(int, first_17), _RESIDENT_ID_WEIGHTS)) % 11]


def holds_resident_id(text: str) -> bool:
    """Tell whether a resident identity number stands anywhere in a text, of any width, also with spaces or hyphens.

    A company's code that happens to check as one is none. The 15 digits of before 1999 are not looked for: as many
    digits with something like a date in them have the registration numbers of companies, too.
    """
    if len(text) < RESIDENT_ID_LENGTH or _MANY_DIGITS.search(text) is None:  # nearly every text, hence asked first
        return False
    return any(_is_written_out(found[1]) for found in _RESIDENT_ID_IN_TEXT.finditer(text))


def _is_written_out(found: str) -> bool:
    code = normalize("NFKC", _SEPARATORS.sub("", found)).upper()
    is_plausible = code[:2] in PROVINCES and "1900" <= code[6:10] < "2100"
    return is_plausible and resident_id_fault(code) is None and uscc_fault(code) is not None


def resident_birth_date(code: str) -> date | None:
    """Return the birth date in a resident identity number of 18 characters, None where it holds no date."""
    return iso_date(f"{code[6:10]}-{code[10:12]}-{code[12:14]}")


# --- Places, nodes, documents, dates ------------------------------------------------------------------------


def division_fault(code: str) -> str | None:
    """Return the fault of a division code: 6 digits under a known province, or the nation (GB/T 2260)."""
    if not _DIVISION_SHAPE.fullmatch(code):
        return "FIELD_DIVISION_SHAPE"
    if code[:2] in PROVINCES or code in NATION_DIVISIONS:
        return None
    return "FIELD_DIVISION_PROVINCE"


def is_node_id(text: str) -> bool:
    """Tell whether a text can name a node: 6 digits (a division) or a lower-case word of 2 to 31 characters."""
    return _NODE_ID_SHAPE.fullmatch(text) is not None


def fold_document_number(text: str) -> str:
    """Return the form under which document numbers are compared: NFKC, one kind of bracket, no spaces.

    The folded form goes into natural keys only; what travels and is shown is the text as published.
    """
    folded = normalize("NFKC", text)
    if " " in folded or not folded.isprintable():  # all that is invisible is one or the other
        # Taking a space out can bring a letter and its accent together, hence NFKC once more.
        folded = normalize("NFKC", _INVISIBLE.sub("", folded))
    return folded.translate(_BRACKETS) if _OTHER_BRACKET.search(folded) else folded


def fold_heading(text: str) -> str:
    """Return the form under which headings of columns are compared: cfXdrMc, cf_xdr_mc and CF_XDR_MC are one.

    Folded like a document number, in capitals, without underscores and the marks that forms put around a name.
    """
    return fold_document_number(text).upper().replace("_", "").strip("*★:'\"")


def iso_date(text: str) -> date | None:
    """Return the date written as YYYY-MM-DD, None where the text is anything else."""
    return _iso_date(text) if len(text) == 10 else None


@lru_cache(maxsize=8192)
def _iso_date(text: str) -> date | None:
    if not _DATE_SHAPE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
