"""Rows: events, as far as a module asked for them. How their bytes lie is specified in
`rules/schema/src/offered.rs`."""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Generic, Iterator, Optional, TypeVar, Union, overload

T = TypeVar("T")
_SLOT = struct.Struct("<Q")
_LEN = struct.Struct("<I")
_HEADER = struct.Struct("<IHHQQ")


class Field(Generic[T]):
    """A field. As an attribute of a row's class it is a column, and gives the event's value."""

    kind = ""
    many = False

    def __init__(self, name: str):
        self.name = name
        self.column = -1

    def __getitem__(self, argument: Union[int, str]) -> "Field[T]":
        return type(self)(f"{self.name}[{argument}]")

    def __set_name__(self, owner: type, name: str) -> None:
        columns = owner.__dict__.get("_columns")
        if columns is None:
            columns = []
            owner._columns = columns  # type: ignore[attr-defined]
        # Fields are shared by all modules; a column is a row's own.
        own = self._copy()
        own.column = len(columns)
        columns.append(own)
        setattr(owner, name, own)

    def _copy(self) -> "Field[T]":
        return type(self)(self.name)

    @overload
    def __get__(self, row: None, owner: type) -> "Field[T]": ...
    @overload
    def __get__(self, row: "Row", owner: type) -> Optional[T]: ...

    def __get__(self, row, owner):
        if row is None:
            return self
        slot = row._slot(self.column)
        return None if slot is None else self._read(row, slot)

    def _read(self, row: "Row", slot: int) -> Optional[T]:
        raise NotImplementedError


class Text(Field[str]):
    """A text. What is not UTF-8 in it is replaced; `Row.raw` has the bytes."""

    kind = "text"

    def _read(self, row, slot):
        found = row._bytes(slot)
        return None if found is None else found.decode("utf-8", "replace")


class Bytes(Field[bytes]):
    kind = "bytes"

    def _read(self, row, slot):
        return row._bytes(slot)


class Address(Field[Union[IPv4Address, IPv6Address]]):
    kind = "address"

    def _read(self, row, slot):
        found = row._bytes(slot)
        return ip_address(found) if found is not None and len(found) in (4, 16) else None


class Boolean(Field[bool]):
    kind = "boolean"

    def _read(self, row, slot):
        return slot != 0


class Signed(Field[int]):
    kind = "signed"

    def _read(self, row, slot):
        return slot - (1 << 64) if slot >> 63 else slot


class Unsigned(Field[int]):
    kind = "unsigned"

    def _read(self, row, slot):
        return slot


class Time(Unsigned):
    """Nanoseconds since 1970."""

    kind = "time"


class Duration(Unsigned):
    """Nanoseconds."""

    kind = "duration"


class Real(Field[float]):
    kind = "real"

    def _read(self, row, slot):
        if slot == (1 << 64) - 1:
            return float("nan")
        bits = slot ^ (1 << 63) if slot >> 63 else slot ^ ((1 << 64) - 1)
        return struct.unpack("<d", _SLOT.pack(bits))[0]


class Many(Field[list]):
    """A field whose values are lists; with an argument, as in `proc_aname[2]`, it is one."""

    many = True

    def __init__(self, of: type, name: str):
        super().__init__(name)
        self.of = of
        self.kind = of.kind
        self._one = of(name)

    def _copy(self):
        return Many(self.of, self.name)

    def __getitem__(self, argument):
        return self.of(f"{self.name}[{argument}]")

    def __get__(self, row, owner):
        if row is None:
            return self
        slot = row._slot(self.column)
        if slot is None:
            return []
        read = (self._one._read(row, item) for item in row._list(slot))
        return [value for value in read if value is not None]


class WithArgument:
    """A field that wants an argument, as in `evt_arg["path"]`."""

    def __init__(self, of: type, name: str):
        self.of = of
        self.name = name

    def __getitem__(self, argument: Union[int, str]) -> Field:
        return self.of(f"{self.name}[{argument}]")


class Row:
    """An event. Its class names the fields that a module wants, as columns."""

    _columns: list = []

    def __init__(self, batch: bytes, at: int, length: int):
        self._batch = batch
        self._at = at
        self._length = length

    @property
    def time(self) -> int:
        """When it happened: nanoseconds since 1970."""
        return _HEADER.unpack_from(self._batch, self._at)[3]

    @property
    def number(self) -> int:
        """The event's number."""
        return _HEADER.unpack_from(self._batch, self._at)[4]

    @property
    def is_cut(self) -> bool:
        """A text or a list of it was cut."""
        return _HEADER.unpack_from(self._batch, self._at)[2] & 1 != 0

    def raw(self, column: Field) -> Optional[bytes]:
        """The bytes of a text, which need not be UTF-8: `row.raw(Seen.name)`."""
        slot = self._slot(column.column)
        return None if slot is None else self._bytes(slot)

    def _slot(self, column: int) -> Optional[int]:
        at = self._at + 32
        if not self._batch[at + (column >> 3)] >> (column & 7) & 1:
            return None
        words = (len(self._columns) + 63) >> 6
        return _SLOT.unpack_from(self._batch, at + 8 * (words + column))[0]

    def _bytes(self, slot: int) -> Optional[bytes]:
        at = slot >> 32
        if at == 0 or at + 4 > self._length:
            return None
        at += self._at
        (length,) = _LEN.unpack_from(self._batch, at)
        if at + 4 + length > self._at + self._length:
            return None
        return self._batch[at + 4 : at + 4 + length]

    def _list(self, slot: int) -> Iterator[int]:
        count, at = slot & 0xFFFFFFFF, slot >> 32
        if at + 8 * count > self._length:
            return iter(())
        return (_SLOT.unpack_from(self._batch, self._at + at + 8 * i)[0] for i in range(count))


def rows_of(kind: type, batch: bytes) -> Iterator[Row]:
    """The rows of a batch."""
    at = 0
    while at + 32 <= len(batch):
        (length,) = _LEN.unpack_from(batch, at)
        if length < 32 or at + length > len(batch):
            return
        yield kind(batch, at, length)
        at += length
