# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The slots of an entry's body read in one go, at the speed of a compiler.

A shorter way to an answer, as node.core.sound is, and one that may be missing: whatever is not certainly sound, and any
body that is not written exactly as build_body() writes it, is left to node.core.entry and node.core.validation. Nothing
is refused here. tests/core/test_slot_reader.py compares the two ways.

What is read are bytes of a stranger: every read below is preceded by a comparison with the end of what holds it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memmove, memset


cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_MD:
        pass
    ctypedef struct EVP_MD_CTX:
        pass
    ctypedef struct ENGINE:
        pass
    EVP_MD *EVP_MD_fetch(void *library, const char *name, const char *properties)
    void EVP_MD_free(EVP_MD *digest)
    EVP_MD_CTX *EVP_MD_CTX_new()
    void EVP_MD_CTX_free(EVP_MD_CTX *context)
    int EVP_DigestInit_ex(EVP_MD_CTX *context, const EVP_MD *digest, ENGINE *engine)
    int EVP_DigestUpdate(EVP_MD_CTX *context, const void *content, size_t size)
    int EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *found, unsigned int *size)


# What a field may hold, beyond its longest text; the numbers are those of Kind in node.core.slot_reading.
cdef enum:
    UNKNOWN = 0
    ASKED = 1
    TEXT = 2
    PUBLIC_TEXT = 3
    DATE = 4
    USCC = 5
    AMOUNT_YUAN = 6
    AMOUNT_WAN_YUAN = 7

cdef enum:
    HASH_BYTES = 32
    SALT_BYTES = 16
    NUMBERS = 128  # a field's number takes one byte
    LINES = 4096  # of the memory of fields; a power of two
    LONGEST_LINE = 128
    MOST_ANSWERS = 20000
    FOLDS = 32
    LONGEST_KEY = 2048
    LONGEST_SIZE = 1 << 14  # of a field: its length, and that of its text, take at most two bytes each

include "text_checks.pxi"


cdef struct Term:
    int64_t term
    uint32_t order
    uint32_t position


cdef int _compare(const void *one, const void *other) noexcept nogil:
    cdef const Term *left = <const Term *>one
    cdef const Term *right = <const Term *>other
    if left.term != right.term:
        return -1 if left.term < right.term else 1
    return -1 if left.order < right.order else 1


cdef inline int64_t _term(Bytes digest) noexcept nogil:
    """The first 64 bits, the highest byte first (node.core.record_terms.key_term)."""
    cdef uint64_t found = 0
    cdef int place
    for place in range(8):
        found = found << 8 | digest[place]
    return <int64_t>found


cdef inline bint _size(Bytes *at, Bytes end, Py_ssize_t *found) noexcept nogil:
    """Read a length of at most three bytes in its shortest form."""
    cdef Bytes here = at[0]
    if here < end and here[0] < 0x80:
        found[0] = here[0]
        at[0] = here + 1
        return True
    if end - here >= 2 and 0 < here[1] < 0x80:
        found[0] = (here[0] & 0x7F) | here[1] << 7
        at[0] = here + 2
        return True
    if end - here >= 3 and here[1] >= 0x80 and 0 < here[2] < 0x80:
        found[0] = (here[0] & 0x7F) | (here[1] & 0x7F) << 7 | here[2] << 14
        at[0] = here + 3
        return True
    return False


cdef inline bint _part(unsigned char tag, Bytes *at, Bytes end, Slice *found) noexcept nogil:
    """Read a field of bytes that has this tag and is not empty."""
    cdef Py_ssize_t size = 0
    if at[0] >= end or at[0][0] != tag:
        return False
    at[0] += 1
    if not _size(at, end, &size) or size == 0 or end - at[0] < size:
        return False
    found.start = at[0]
    found.size = size
    at[0] += size
    return True


cdef inline unsigned char *_put_size(unsigned char *into, Py_ssize_t size) noexcept nogil:
    """Write a length of at most two bytes in its shortest form; returns what follows it."""
    if size < 0x80:
        into[0] = <unsigned char>size
        return into + 1
    into[0], into[1] = <unsigned char>(size & 0x7F | 0x80), <unsigned char>(size >> 7)
    return into + 2


cdef inline Py_ssize_t _size_of_part(Py_ssize_t size) noexcept nogil:
    """How many bytes a field takes that has so many: with its tag and its length."""
    return 1 + (1 if size < 0x80 else 2) + size


cdef inline uint64_t _mixed(Slice content) noexcept nogil:
    """Spread bytes over 64 bits; who makes two of them meet makes us read one of them again, no more."""
    cdef uint64_t state = <uint64_t>0x9E3779B97F4A7C15 ^ <uint64_t>content.size
    cdef uint64_t word
    cdef Py_ssize_t at = 0
    while at < content.size:
        word = 0
        memcpy(&word, content.start + at, min(content.size - at, <Py_ssize_t>8))
        state = (state ^ word) * <uint64_t>0xBF58476D1CE4E5B9
        state ^= state >> 29
        at += 8
    return state ^ state >> 32


cdef tuple _sorted_terms(Term *terms, Py_ssize_t count):
    """Both arrays of node.core.record_terms.SortedTerms, as bytes."""
    cdef Py_ssize_t at
    ordered = PyBytes_FromStringAndSize(NULL, count * sizeof(int64_t))
    positions = PyBytes_FromStringAndSize(NULL, count * sizeof(uint32_t))
    cdef int64_t *term = <int64_t *>PyBytes_AS_STRING(ordered)
    cdef uint32_t *position = <uint32_t *>PyBytes_AS_STRING(positions)
    qsort(terms, count, sizeof(Term), _compare)
    for at in range(count):
        term[at], position[at] = terms[at].term, terms[at].position
    return ordered, positions


cdef class SlotReader:
    """Reads bodies whose records are judged by one standard; see node.core.slot_reading.Asked for what it is told."""

    cdef EVP_MD *_sha256
    cdef EVP_MD_CTX *_context
    cdef bytes _item, _item_part
    cdef unsigned char[128] _kinds
    cdef Py_ssize_t[128] _longest
    cdef bytes _last_days
    cdef uint64_t[2] _required
    cdef list _orders
    cdef int _authority, _document, _code, _registration, _subject
    cdef object _read_field, _judge
    cdef list _known_fields, _known_texts
    cdef list _roots  # of two trees of questions: of codes, and of the placeholder
    cdef int _answers
    cdef int _folds
    cdef unsigned int[FOLDS] _folded_from
    cdef unsigned char[FOLDS][3] _folded_to
    # Of the record that is being read, by a field's number.
    cdef Slice[128] _texts
    cdef Slice[128] _fields
    cdef unsigned char[128] _given
    cdef int _highest

    def __cinit__(self):
        self._sha256 = EVP_MD_fetch(NULL, b"SHA2-256", NULL)
        self._context = EVP_MD_CTX_new()
        if self._sha256 == NULL or self._context == NULL:
            raise MemoryError("no SHA-256")

    def __dealloc__(self):
        EVP_MD_CTX_free(self._context)
        EVP_MD_free(self._sha256)

    def __init__(self, asked, read_field, judge):
        cdef int number
        self._item = asked.item.encode()
        self._item_part = len(self._item).to_bytes(4, "big") + self._item
        memset(self._kinds, UNKNOWN, sizeof(self._kinds))
        days = bytearray(DATE_BYTES * NUMBERS)
        for number, (kind, longest, last_day) in asked.fields.items():
            if not 0 < number < NUMBERS:
                continue
            self._kinds[number] = kind
            self._longest[number] = longest
            days[number * DATE_BYTES : (number + 1) * DATE_BYTES] = last_day.encode().ljust(DATE_BYTES)
        self._last_days = bytes(days)
        self._required[0] = self._required[1] = 0
        for number in asked.required:
            self._required[number >> 6] |= <uint64_t>1 << (number & 63)
        self._orders = list(asked.orders)
        self._authority, self._document = asked.authority, asked.document
        self._code, self._registration = asked.code, asked.registration
        self._read_field, self._judge = read_field, judge
        self._known_fields, self._known_texts = [None] * LINES, [None] * LINES
        self._roots, self._answers = [None, None], 0
        self._folds = 0
        for character, folded in asked.folds.items():
            self._folded_from[self._folds] = ord(character)
            memcpy(self._folded_to[self._folds], <Bytes>PyBytes_AS_STRING(folded), 3)
            self._folds += 1

    def read(self, bytes body, Py_ssize_t count, Py_ssize_t most_record_bytes):
        """Return (root, commitments, positions, keys, content hashes, subjects, authorities, terms, rest) of a body.

        The root is over all commitments, which stand one after another, 32 bytes each; so do keys and content hashes of
        the records that are certainly sound, which are at these positions. terms are those of node.core.record_terms,
        both arrays as bytes. rest holds (position, record) of all others.
        None where the body is not written in the usual way, or has not so many slots.
        """
        cdef Bytes at = <Bytes>PyBytes_AS_STRING(body)
        cdef Bytes end = at + PyBytes_GET_SIZE(body)
        cdef Slice slot, salt, record
        cdef Bytes inner
        cdef Py_ssize_t position = 0, sound = 0
        if count <= 0 or count > (end - at) // SALT_BYTES:
            return None
        leaves = PyBytes_FromStringAndSize(NULL, count * HASH_BYTES)
        keys = PyBytes_FromStringAndSize(NULL, count * HASH_BYTES)
        hashes = PyBytes_FromStringAndSize(NULL, count * HASH_BYTES)
        cdef unsigned char *leaf = <unsigned char *>PyBytes_AS_STRING(leaves)
        cdef unsigned char *key = <unsigned char *>PyBytes_AS_STRING(keys)
        cdef unsigned char *content = <unsigned char *>PyBytes_AS_STRING(hashes)
        places = PyBytes_FromStringAndSize(NULL, 2 * count * sizeof(Term))
        cdef Term *terms = <Term *>PyBytes_AS_STRING(places)
        cdef unsigned char[HASH_BYTES] digest
        cdef list positions = [], subjects = [], authorities = [], rest = []
        while at < end:
            if position == count or not _part(0x0A, &at, end, &slot):
                return None
            inner = slot.start
            if not _part(0x0A, &inner, slot.start + slot.size, &salt) or salt.size != SALT_BYTES:
                return None
            if not _part(0x12, &inner, slot.start + slot.size, &record) or inner != slot.start + slot.size:
                return None
            if record.size > most_record_bytes:
                return None
            self._hash3(b"\x00", 1, salt.start, SALT_BYTES, record.start, record.size, leaf + position * HASH_BYTES)
            if self._is_sound(record):
                subject, authority = self._text(self._subject), self._text(self._authority)
                if self._put_key(key + sound * HASH_BYTES):
                    self._hash3(NULL, 0, NULL, 0, record.start, record.size, content + sound * HASH_BYTES)
                    self._hash3(
                        NULL, 0, NULL, 0, self._texts[self._subject].start, self._texts[self._subject].size, digest
                    )
                    terms[sound] = Term(_term(key + sound * HASH_BYTES), sound, position)
                    terms[count + sound] = Term(_term(digest), count + sound, position)
                    positions.append(position)
                    subjects.append(subject)
                    authorities.append(authority)
                    sound += 1
                    position += 1
                    continue
            rest.append((position, PyBytes_FromStringAndSize(<char *>record.start, record.size)))
            position += 1
        if position != count:
            return None
        size = sound * HASH_BYTES
        root = self._root_over(leaf, count)
        memmove(terms + sound, terms + count, sound * sizeof(Term))
        found = _sorted_terms(terms, 2 * sound)
        return root, leaves, positions, keys[:size], hashes[:size], subjects, authorities, found, rest

    def build(self, dict values not None, Py_ssize_t most_record_bytes):
        """Return (record, natural key, content hash, subject, authority) of values by their field's number.

        The record is what node.core.record.build_record makes of them. None where it is not certainly sound.
        """
        record = self._built(values, most_record_bytes)
        if record is None:
            return None
        cdef Slice written = Slice(<Bytes>PyBytes_AS_STRING(record), PyBytes_GET_SIZE(record))
        if not self._is_sound(written):
            return None
        subject, authority = self._text(self._subject), self._text(self._authority)
        key = PyBytes_FromStringAndSize(NULL, HASH_BYTES)
        if not self._put_key(<unsigned char *>PyBytes_AS_STRING(key)):
            return None
        content = PyBytes_FromStringAndSize(NULL, HASH_BYTES)
        self._hash3(NULL, 0, NULL, 0, written.start, written.size, <unsigned char *>PyBytes_AS_STRING(content))
        return record, key, content, subject, authority

    cdef bytes _built(self, dict values, Py_ssize_t most_record_bytes):
        """The canonical bytes of a record; None for values that have no usual ones."""
        cdef Slice[NUMBERS] texts
        cdef Py_ssize_t at = 0, total = _size_of_part(PyBytes_GET_SIZE(self._item)), inner
        cdef PyObject *key
        cdef PyObject *value
        cdef long number
        cdef const char *start
        cdef unsigned char *into
        memset(texts, 0, sizeof(texts))
        while PyDict_Next(values, &at, &key, &value):
            number, text = <object>key, <object>value
            if not 0 < number < NUMBERS or type(text) is not str:
                return None
            try:
                start = PyUnicode_AsUTF8AndSize(text, &texts[number].size)
            except UnicodeEncodeError:
                return None
            texts[number].start = <Bytes>start
            if not 0 < texts[number].size < LONGEST_SIZE - 8:
                return None
            total += _size_of_part(2 + _size_of_part(texts[number].size))
        if total > most_record_bytes or PyBytes_GET_SIZE(self._item) >= LONGEST_SIZE:
            return None
        record = PyBytes_FromStringAndSize(NULL, total)
        into = <unsigned char *>PyBytes_AS_STRING(record)
        into[0] = 0x0A
        into = _put_size(into + 1, PyBytes_GET_SIZE(self._item))
        memcpy(into, PyBytes_AS_STRING(self._item), PyBytes_GET_SIZE(self._item))
        into += PyBytes_GET_SIZE(self._item)
        for number in range(1, NUMBERS):
            if texts[number].start == NULL:
                continue
            inner = 2 + _size_of_part(texts[number].size)
            into[0] = 0x12
            into = _put_size(into + 1, inner)
            into[0], into[1], into[2] = 0x08, <unsigned char>number, 0x12
            into = _put_size(into + 3, texts[number].size)
            memcpy(into, texts[number].start, texts[number].size)
            into += texts[number].size
        return record

    cdef void _hash3(
        self,
        Bytes one,
        Py_ssize_t one_size,
        Bytes two,
        Py_ssize_t two_size,
        Bytes three,
        Py_ssize_t three_size,
        unsigned char *found,
    ) noexcept:
        EVP_DigestInit_ex(self._context, self._sha256, NULL)
        if one_size:
            EVP_DigestUpdate(self._context, one, one_size)
        if two_size:
            EVP_DigestUpdate(self._context, two, two_size)
        EVP_DigestUpdate(self._context, three, three_size)
        EVP_DigestFinal_ex(self._context, found, NULL)

    cdef bytes _root_over(self, Bytes leaves, Py_ssize_t count):
        """RFC 6962: level by level, the last one of an odd number goes up as it is."""
        level = PyBytes_FromStringAndSize(<char *>leaves, count * HASH_BYTES)
        cdef unsigned char *nodes = <unsigned char *>PyBytes_AS_STRING(level)
        cdef Py_ssize_t at
        while count > 1:
            for at in range(count // 2):
                self._hash3(b"\x01", 1, NULL, 0, nodes + 2 * at * HASH_BYTES, 2 * HASH_BYTES, nodes + at * HASH_BYTES)
            if count & 1:
                memcpy(nodes + (count // 2) * HASH_BYTES, nodes + (count - 1) * HASH_BYTES, HASH_BYTES)
            count = (count + 1) // 2
        return PyBytes_FromStringAndSize(<char *>nodes, HASH_BYTES)

    # -- one record

    cdef bint _is_sound(self, Slice record) except -1:
        """Read a record, and whether it is certainly sound; afterwards its texts are at hand."""
        cdef Bytes at = record.start
        cdef Bytes end = record.start + record.size
        cdef Slice item, field
        cdef int number = 0, last = 0
        cdef uint64_t[2] given
        memset(self._given, 0, self._highest + 1)
        self._highest = 0
        self._subject = self._code
        given[0] = given[1] = 0
        if not _part(0x0A, &at, end, &item) or item.size != PyBytes_GET_SIZE(self._item):
            return False
        if memcmp(item.start, PyBytes_AS_STRING(self._item), item.size) != 0:
            return False
        while at < end:
            if not _part(0x12, &at, end, &field):
                return False
            number = self._take(field)
            if number <= last:
                return False
            given[number >> 6] |= <uint64_t>1 << (number & 63)
            last = number
        if self._required[0] & ~given[0] or self._required[1] & ~given[1]:
            return False
        if self._subject == self._registration and not self._given[self._registration]:
            return False
        return self._given[self._code] and self._are_in_order() and self._agree()

    cdef int _take(self, Slice field) except -1:
        """Read a field; its number, 0 where it is not certainly sound by itself."""
        cdef Bytes at = field.start
        cdef Bytes end = field.start + field.size
        cdef int number
        cdef Slice text
        cdef Py_ssize_t characters
        if field.size < 5 or at[0] != 0x08 or at[1] >= NUMBERS:
            return 0
        number = at[1]
        at += 2
        if not _part(0x12, &at, end, &text) or at != end:
            return 0
        kind = self._kinds[number]
        if kind == DATE:
            if self._longest[number] < DATE_BYTES:
                return 0
            if not _is_date(text, <Bytes>PyBytes_AS_STRING(self._last_days) + number * DATE_BYTES):
                return 0
        elif kind == USCC:
            if self._longest[number] < USCC_BYTES:
                return 0
            if number == self._code and self._registration and _is_placeholder(text):
                self._subject = self._registration
            elif not _is_uscc(text):
                return 0
        elif kind == AMOUNT_YUAN or kind == AMOUNT_WAN_YUAN:
            if text.size > self._longest[number]:
                return 0
            if not _is_amount(text, 16, 2) if kind == AMOUNT_YUAN else not _is_amount(text, 12, 6):
                return 0
        elif kind == TEXT or kind == PUBLIC_TEXT:
            characters = _plain_characters(text, kind == PUBLIC_TEXT)
            if characters > self._longest[number]:
                return 0
            if characters == 0 and self._known(field) is None:
                return 0
        elif kind != ASKED or self._known(field) is None:
            return 0
        self._texts[number] = text
        self._fields[number] = field
        self._given[number] = True
        self._highest = max(self._highest, number)
        return number

    cdef object _known(self, Slice field):
        """The text of a field that is sound by itself, None for any other; remembered by its bytes."""
        cdef Py_ssize_t line = 0
        if field.size <= LONGEST_LINE:
            line = <Py_ssize_t>(_mixed(field) & (LINES - 1))
            held = self._known_fields[line]
            if held is not None and PyBytes_GET_SIZE(held) == field.size:
                if memcmp(PyBytes_AS_STRING(held), field.start, field.size) == 0:
                    return self._known_texts[line]
        content = PyBytes_FromStringAndSize(<char *>field.start, field.size)
        pair = self._read_field(content)
        if pair is None:
            return None
        if field.size <= LONGEST_LINE:
            self._known_fields[line], self._known_texts[line] = content, pair[1]
        return pair[1]

    cdef bint _are_in_order(self) except -1:
        """Whether no date is before one that it cannot precede."""
        cdef int later, earlier
        for later, earlier in self._orders:
            if self._given[later] and self._given[earlier]:
                if memcmp(self._texts[later].start, self._texts[earlier].start, DATE_BYTES) < 0:
                    return False
        return True

    cdef object _text(self, int number):
        """The text of a field, empty where there is none; that of an authority is one and the same object."""
        if not self._given[number]:
            return ""
        if self._kinds[number] == ASKED or number == self._authority:
            return self._known(self._fields[number])
        return PyUnicode_DecodeUTF8(<char *>self._texts[number].start, self._texts[number].size, NULL)

    # -- values against each other

    cdef bint _agree(self) except -1:
        """Whether what is asked of the values against each other is met.

        Who asks the same and hears the same comes to the same: the answers heard lead through a tree of questions,
        (number, whether only its presence is asked, what follows by answer), to what was found for them before.
        """
        cdef int number
        node = self._roots[self._subject == self._registration]
        while type(node) is tuple:
            number = node[0]
            heard = bool(self._given[number]) if node[1] else self._text(number) if self._given[number] else None
            node = (<dict>node[2]).get(heard)
        if node is None:
            return self._judged()
        return node

    cdef bint _judged(self) except -1:
        """Ask, and remember the answers that led to what was found while there is room."""
        cdef int number
        values = {number: self._text(number) for number in range(1, self._highest + 1) if self._given[number]}
        cdef bint is_placeholder = self._subject == self._registration
        found, questions = self._judge(values, is_placeholder)
        if questions is None or self._answers >= MOST_ANSWERS:
            return found
        if not questions:
            self._roots[is_placeholder] = found
            return found
        self._answers += len(questions)
        node, into, heard = self._roots[is_placeholder], None, None
        for number, is_presence in questions:
            if node is None:
                node = (number, is_presence, {})
                if into is None:
                    self._roots[is_placeholder] = node
                else:
                    into[heard] = node
            into = node[2]
            heard = number in values if is_presence else values.get(number)
            node = into.get(heard)
        into[heard] = found
        return found

    # -- the natural key

    cdef bint _put_key(self, unsigned char *found) except -1:
        """Write the natural key, as node.core.catalogue.natural_key makes it; False where its document is unusual."""
        cdef unsigned char[LONGEST_KEY] parts
        cdef Py_ssize_t size = 0, room
        cdef Slice part
        for number in (self._authority, self._document, self._subject):
            room = LONGEST_KEY - size - 4
            if number and self._given[number]:
                part = self._texts[number]
                if part.size * 3 + PyBytes_GET_SIZE(self._item_part) > room:
                    return False
                if number == self._document:
                    part.size = self._fold(part, parts + size + 4)
                    if part.size == 0:
                        return False
                else:
                    memcpy(parts + size + 4, part.start, part.size)
            else:
                part.size = 0
                if room < PyBytes_GET_SIZE(self._item_part):
                    return False
            parts[size], parts[size + 1] = 0, 0
            parts[size + 2], parts[size + 3] = <unsigned char>(part.size >> 8), <unsigned char>(part.size & 0xFF)
            size += 4 + part.size
        memcpy(parts + size, PyBytes_AS_STRING(self._item_part), PyBytes_GET_SIZE(self._item_part))
        self._hash3(NULL, 0, NULL, 0, parts, size + PyBytes_GET_SIZE(self._item_part), found)
        return True

    cdef Py_ssize_t _fold(self, Slice text, unsigned char *into) noexcept:
        """Write a document number as it is compared; the bytes of it, 0 for one of other characters than the usual."""
        cdef Bytes at = text.start
        cdef Bytes end = text.start + text.size
        cdef Py_ssize_t size = 0
        cdef unsigned int one, character
        cdef int each
        while at < end:
            one = at[0]
            if 0x30 <= one <= 0x39 or 0x41 <= one <= 0x5A or 0x61 <= one <= 0x7A or one == 0x2D:
                into[size] = one
                size += 1
                at += 1
                continue
            if one >= 0x80 and end - at < 3:
                return 0
            if 0xE5 <= one <= 0xE9 or (one == 0xE4 and at[1] >= 0xB8):
                memcpy(into + size, at, 3)
                size += 3
                at += 3
                continue
            if one < 0x80:
                character = one
            elif 0xE0 <= one <= 0xEF:
                character = (one & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F)
            else:
                return 0
            for each in range(self._folds):
                if self._folded_from[each] == character:
                    memcpy(into + size, self._folded_to[each], 3)
                    size += 3
                    break
            else:
                return 0
            at += 1 if one < 0x80 else 3
        return size
