# What a text must be to be certainly sound: part of slot_reader.pyx.
#
# Each of these functions says so only where node.core.validation would find nothing wrong.

ctypedef const unsigned char *Bytes

cdef enum:
    DATE_BYTES = 10
    USCC_BYTES = 18
    ID_DIGITS = 17

cdef Bytes PLACEHOLDER = b"00000000000000000X"
cdef unsigned char[128] USCC_VALUES
cdef int[18] USCC_WEIGHTS
memset(USCC_VALUES, 0xFF, 128)
for _value, _character in enumerate(bytearray(b"0123456789ABCDEFGHJKLMNPQRTUWXY")):
    USCC_VALUES[_character] = _value
for _place in range(17):
    USCC_WEIGHTS[_place] = pow(3, _place, 31)
USCC_WEIGHTS[17] = 1


cdef struct Slice:
    Bytes start
    Py_ssize_t size


cdef inline Py_ssize_t _plain_characters(Slice text, bint is_public) noexcept nogil:
    """Count the characters of a text of letters, digits and common marks; 0 for any other, and where an identity
    number may stand in a public one."""
    cdef Bytes at = text.start
    cdef Bytes end = text.start + text.size
    cdef Py_ssize_t count = 0, row = 0
    cdef bint is_blank = True
    cdef unsigned int one, two, three
    while at < end:
        one = at[0]
        count += 1
        if one < 0x80:
            if one < 0x20 or one > 0x7E:
                return 0
            at += 1
            if 0x30 <= one <= 0x39 or one == 0x2D or one == 0x20:
                row += 1
                if row >= ID_DIGITS and is_public:
                    return 0
            else:
                row = 0
            is_blank = is_blank and one == 0x20
            continue
        if end - at < 3:
            return 0
        two, three = at[1], at[2]
        if two & 0xC0 != 0x80 or three & 0xC0 != 0x80:
            return 0
        # U+4E00 to U+9FFF; U+3001 to U+303F; U+FF01 to U+FF0F and U+FF1A to U+FF3F; dashes, quotation marks, ellipsis
        if not (
            (0xE5 <= one <= 0xE9)
            or (one == 0xE4 and two >= 0xB8)
            or (one == 0xE3 and two == 0x80 and three >= 0x81)
            or (one == 0xEF and two == 0xBC and three >= 0x81 and not 0x90 <= three <= 0x99)
            or (one == 0xE2 and two == 0x80 and 0x94 <= three <= 0xA6 and not three == 0xA5 and not three == 0xA4)
        ):
            return 0
        row = 0
        is_blank = False
        at += 3
    return 0 if is_blank else count


cdef inline bint _is_date(Slice text, Bytes last) noexcept nogil:
    """Whether this is a day from 1900 to 2099, written YYYY-MM-DD, and not after the last one."""
    cdef Bytes at = text.start
    cdef int place, year, month, day, days
    if text.size != DATE_BYTES or at[4] != 0x2D or at[7] != 0x2D:
        return False
    for place in range(DATE_BYTES):
        if place != 4 and place != 7 and not 0x30 <= at[place] <= 0x39:
            return False
    year = (at[0] - 0x30) * 1000 + (at[1] - 0x30) * 100 + (at[2] - 0x30) * 10 + at[3] - 0x30
    month, day = (at[5] - 0x30) * 10 + at[6] - 0x30, (at[8] - 0x30) * 10 + at[9] - 0x30
    if not 1900 <= year < 2100 or not 1 <= month <= 12 or day < 1:
        return False
    if month == 2:
        days = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    else:
        days = 30 if month in (4, 6, 9, 11) else 31
    return day <= days and memcmp(at, last, DATE_BYTES) <= 0


cdef inline bint _is_uscc(Slice text) noexcept nogil:
    """Whether this is a sound code with a letter in it: one of digits alone may be a person's (GB 32100-2015)."""
    cdef Bytes at = text.start
    cdef int place, total = 0
    cdef bint is_all_digits = True
    if text.size != USCC_BYTES or at[0] == 0x30:
        return False
    for place in range(USCC_BYTES):
        if at[place] >= 0x80 or USCC_VALUES[at[place]] == 0xFF:
            return False
        if at[place] > 0x39:
            if 2 <= place < 8:
                return False
            is_all_digits = is_all_digits and place == USCC_BYTES - 1
        total += USCC_VALUES[at[place]] * USCC_WEIGHTS[place]
    return total % 31 == 0 and not is_all_digits


cdef inline bint _is_placeholder(Slice text) noexcept nogil:
    return text.size == USCC_BYTES and memcmp(text.start, PLACEHOLDER, USCC_BYTES) == 0


cdef inline bint _is_amount(Slice text, int most_digits, int most_places) noexcept nogil:
    """Whether this is a number without idle zeros before it, of so many digits before and behind the point; zeros may
    follow."""
    cdef Bytes at = text.start
    cdef Bytes end = text.start + text.size
    cdef Py_ssize_t digits
    while at < end and 0x30 <= at[0] <= 0x39:
        at += 1
    digits = at - text.start
    if digits == 0 or digits > most_digits or (digits > 1 and text.start[0] == 0x30):
        return False
    if at == end:
        return True
    if at[0] != 0x2E or end - at < 2:
        return False
    at += 1
    digits = 0
    while at < end:
        digits += 1
        if not 0x30 <= at[0] <= 0x39 or (digits > most_places and at[0] != 0x30):
            return False
        at += 1
    return True
