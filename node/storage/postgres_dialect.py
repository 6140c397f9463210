"""The statements of this package as PostgreSQL takes them: the one seam between the two databases.

A statement is written once, with :name or ? for its values, and translated once. What differs besides:

    many rows    an INSERT without conditions goes by COPY, any other statement in a pipeline
    numbers      every int is a bigint, so that a statement is prepared once and not for each size of number
    texts        PostgreSQL keeps no NUL: U+0000 is written as U+0001 U+0001, and U+0001 as U+0001 U+0002,
                 which keeps both equality and order
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from struct import Struct
from typing import Any, NamedTuple, cast

import psycopg
import sqlalchemy
from psycopg import pq, sql
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import BytesBinaryDumper
from sqlalchemy.ext.compiler import compiles

from node.storage.sql_ports import SqlCursor

_NAME = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_PLAIN_INSERT = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES \([?, ]+\)")
COPY_FROM_ROWS = 8
"""With fewer rows, asking for a COPY takes longer than it saves."""

type_oids = psycopg.postgres.types
_ARRAY_HEAD = Struct(">iiI")  # dimensions, whether there are NULLs, the type of the values
_ARRAY_BOUNDS = Struct(">ii")  # how many, and the number of the first
_LENGTH = Struct(">i")
_NUMBER = Struct(">iq")
_NULL = _LENGTH.pack(-1)


class _Text(Dumper):
    """A text, in UTF-8."""

    format = pq.Format.BINARY
    oid = type_oids["text"].oid

    def dump(self, obj: str) -> Buffer:
        """Its bytes; PostgreSQL would refuse a NUL."""
        return _written(obj)


def _written(text: str) -> bytes:
    if "\0" in text or "\1" in text:
        text = text.replace("\1", "\1\2").replace("\0", "\1\1")
    return text.encode()


class _TextLoader(Loader):
    """The other way."""

    format = pq.Format.BINARY

    def load(self, data: Buffer) -> str:
        """The text as it was handed over."""
        text = str(data, "utf-8")
        return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


class Contents(tuple[bytes | None, ...]):
    """Values that travel as one bytea[]."""

    __slots__ = ()


class Numbers(tuple[int | None, ...]):
    """Values that travel as one bigint[]."""

    __slots__ = ()


class Texts(tuple[str, ...]):
    """Values that travel as one text[]."""

    __slots__ = ()


class _Array(Dumper, ABC):
    """An array of one dimension; what the driver has for lists looks at each value several times."""

    format = pq.Format.BINARY
    element: int

    def dump(self, obj: tuple[Any, ...]) -> Buffer:
        """Its head, then each value with its length."""
        if not obj:
            return _ARRAY_HEAD.pack(0, 0, self.element)
        head = _ARRAY_HEAD.pack(1, None in obj, self.element) + _ARRAY_BOUNDS.pack(len(obj), 1)
        return head + b"".join([_NULL if value is None else self.item(value) for value in obj])

    @abstractmethod
    def item(self, value: Any) -> bytes:
        """The length of a value and its bytes."""
        ...


class _ContentsDumper(_Array):
    oid = type_oids["bytea"].array_oid
    element = type_oids["bytea"].oid

    def item(self, value: bytes) -> bytes:
        return _LENGTH.pack(len(value)) + value


class _NumbersDumper(_Array):
    oid = type_oids["int8"].array_oid
    element = type_oids["int8"].oid

    def item(self, value: int) -> bytes:
        return _NUMBER.pack(8, value)


class _TextsDumper(_Array):
    oid = type_oids["text"].array_oid
    element = type_oids["text"].oid

    def item(self, value: str) -> bytes:
        written = _written(value)
        return _LENGTH.pack(len(written)) + written


class _WholeLoader(NumericBinaryLoader):
    """A sum of bigints is a numeric."""

    def load(self, data: Buffer) -> int:  # type: ignore[override]
        """The sum as SQLite gives it."""
        return int(super().load(data))


def teach(context: AdaptContext) -> None:
    """Let a connection take and give values as this package has them."""
    adapters = context.adapters
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(bool, Int8BinaryDumper)
    adapters.register_dumper(str, _Text)
    adapters.register_dumper(bytes, BytesBinaryDumper)  # COPY would take a slower one
    adapters.register_dumper(Contents, _ContentsDumper)
    adapters.register_dumper(Numbers, _NumbersDumper)
    adapters.register_dumper(Texts, _TextsDumper)
    for name in ("text", "varchar"):
        adapters.register_loader(name, _TextLoader)
    adapters.register_loader("numeric", _WholeLoader)


@compiles(sqlalchemy.Text, "postgresql")
def _in_order_of_bytes(_type: sqlalchemy.Text, _compiler: Any, **_options: Any) -> str:
    """Columns of texts compare and sort by their bytes, as in SQLite, whatever the database was created with."""
    return 'TEXT COLLATE "C"'


class PostgresConnection:
    """The SqlConnection over psycopg; the statements stay those of SQLite."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw
        teach(raw)
        self._types: dict[_Insert, Sequence[str]] = {}

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = (), /) -> SqlCursor:
        """Run a statement; raises OverflowError for a number that no column holds."""
        return cast("SqlCursor", self.raw.execute(translated(sql), parameters, binary=True))

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> SqlCursor:
        """Run a statement for each row of values."""
        insert = _plain_insert(sql) if len(parameters) >= COPY_FROM_ROWS else None
        if insert is not None:
            return self._copy(insert, parameters)
        cursor = self.raw.cursor()
        cursor.executemany(translated(sql), parameters)
        return cast("SqlCursor", cursor)

    def _copy(self, insert: "_Insert", rows: Sequence[Sequence[Any]]) -> SqlCursor:
        cursor = self.raw.cursor()
        names = sql.SQL(", ").join(map(sql.Identifier, insert.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(insert.table), names)
        types = self._types_of(insert)
        with cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
        return cast("SqlCursor", cursor)

    def _types_of(self, insert: "_Insert") -> Sequence[str]:
        """The types of the columns; binary COPY converts nothing."""
        if insert not in self._types:
            with self.raw.cursor() as cursor:
                cursor.execute(_TYPES, (insert.table,))
                found = dict(cursor.fetchall())
            self._types[insert] = [found[name] for name in insert.columns]
        return self._types[insert]


class _Insert(NamedTuple):
    """Where the rows of a plain INSERT go."""

    table: str
    columns: tuple[str, ...]


_TYPES = (
    "SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
)


@cache
def translated(statement: str) -> str:
    """A statement with the driver's marks, every value in binary form."""
    return _NAME.sub(r"%(\1)b", statement.replace("%", "%%").replace("?", "%b"))


@cache
def _plain_insert(statement: str) -> _Insert | None:
    """Where a statement inserts, None where it does more than that."""
    found = _PLAIN_INSERT.fullmatch(statement)
    return _Insert(found[1], tuple(name.strip() for name in found[2].split(","))) if found else None
