"""Modules without Saker: a module is run over events that a test makes up.

    run = Run(Count, {"most": "3"})
    alerts = run.event(Event(0, {"proc.name": "sh"}))

The condition is not looked at: events are those that meet it.
"""

import struct
from typing import Any, Dict, List, Optional, Type

from . import Alert, Alerts, Module, host

SECOND = 1_000_000_000


class Event:
    """An event of that time; `values` by the names of fields."""

    def __init__(self, time: int, values: Dict[str, Any]):
        self.time = time
        self.values = values

    def row(self, columns: list, number: int) -> bytes:
        unknown = self.values.keys() - {column.name for column in columns}
        assert not unknown, f"the module does not ask for {unknown}"
        words = (len(columns) + 63) // 64
        presence, slots, tail = 0, [], bytearray()
        begin = 32 + 8 * (words + len(columns))

        def slot(value: Any) -> int:
            if isinstance(value, (str, bytes)) or hasattr(value, "packed"):
                packed = getattr(value, "packed", value)
                text = packed.encode() if isinstance(packed, str) else packed
                at = begin + len(tail)
                tail.extend(struct.pack("<I", len(text)) + text)
                tail.extend(bytes(-len(tail) % 4))
                return at << 32
            if isinstance(value, float):
                (bits,) = struct.unpack("<Q", struct.pack("<d", value))
                return bits ^ ((1 << 64) - 1) if bits >> 63 else bits | 1 << 63
            return int(value) & ((1 << 64) - 1)

        for index, column in enumerate(columns):
            value = self.values.get(column.name)
            if value is None:
                slots.append(0)
                continue
            presence |= 1 << index
            if column.many:
                items = [slot(item) for item in value]
                tail.extend(bytes(-(begin + len(tail)) % 8))
                at = begin + len(tail)
                tail.extend(b"".join(struct.pack("<Q", item) for item in items))
                slots.append(len(items) | at << 32)
            else:
                slots.append(slot(value))
        tail.extend(bytes(-(begin + len(tail)) % 8))
        header = struct.pack("<IHHQQQ", begin + len(tail), 0, 0, self.time, number, 0)
        body = b"".join(struct.pack("<Q", one) for one in slots)
        return header + presence.to_bytes(8 * words, "little") + body + bytes(tail)


class Run:
    """A module at work."""

    def __init__(self, module: Type[Module], config: Optional[Dict[str, str]] = None):
        self.module = module()
        self.module.start(config or {})
        self.events = 0
        self.second: Optional[int] = None
        self.ticked: List[Alert] = []

    def event(self, event: Event) -> List[Alert]:
        """Hands an event over, and before it a tick if its second is another."""
        self.events += 1
        host._now = event.time - event.time % 1_000_000
        second = event.time - event.time % SECOND
        if self.second is not None and second > self.second:
            alerts = Alerts()
            self.module.tick(second, alerts)
            self.ticked.extend(alerts.all)
        self.second = second if self.second is None else max(second, self.second)
        return self.module.batch(event.row(self.module.Row._columns, self.events))
