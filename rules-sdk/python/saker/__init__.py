"""Rule modules for Saker, written in Python.

A module is a class below `Module` in `module.py`. It says what it is and which events it wants,
gets those one by one, and alerts. `saker module build` makes a component of it; natively, for
tests, `saker.testing` runs it.

    from saker import Module, Priority, Row, Rule, fields

    class Count(Module):
        name = "count"
        condition = "evt.type in (open, openat, openat2)"
        rules = [Rule("Opens much", Priority.NOTICE, output="%proc.name opens %fd.name")]

        class Row(Row):
            program = fields.proc_name
            file = fields.fd_name

        def start(self, config):
            self.opened = {}

        def event(self, row, alerts):
            count = self.opened[row.program] = self.opened.get(row.program, 0) + 1
            if count == 3:
                alerts.alert(0).field("count", count)
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Dict, List, Optional, Tuple, Union

from . import fields
from .row import Row, rows_of

__all__ = [
    "Alert", "Alerts", "Answer", "Capability", "Module", "Priority", "Row", "Rule", "State",
    "fields", "http", "kv", "log", "metrics", "now",
]


class Priority(Enum):
    """How urgent the alerts of a rule are."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7


class Capability(Enum):
    """What a module may be allowed: each is a name of this package."""

    CLOCK = 0
    KV = 1
    METRICS = 2
    HTTP = 3


class State(Enum):
    """What a module's memory is about."""

    NONE = 0
    CONTAINER = 1
    PROCESS_TREE = 2
    GLOBAL = 3


@dataclass
class Rule:
    """A rule that a module may alert by. `output` may name fields of its rows by `%field`."""

    name: str
    priority: Priority
    output: str = ""
    description: str = ""
    tags: List[str] = field(default_factory=list)


Value = Union[str, int, float, bool]


@dataclass
class Alert:
    """Something that a module has to say."""

    row: Optional[int]
    rule: int
    message: Optional[str] = None
    fields: List[Tuple[str, Value]] = field(default_factory=list)

    def field(self, name: str, value: Value) -> "Alert":
        """Shows one more value."""
        self.fields.append((name, value))
        return self


class Alerts:
    """Where a module puts its alerts."""

    def __init__(self) -> None:
        self.row: Optional[int] = None
        self.all: List[Alert] = []

    def alert(self, rule: int, message: Optional[str] = None) -> Alert:
        """An alert by a rule, about the event that is judged; in `tick`, about none."""
        alert = Alert(self.row, rule, message)
        self.all.append(alert)
        return alert


@dataclass
class Answer:
    """What a server answered to a request of `http`."""

    status: int
    headers: List[Tuple[str, str]]
    body: bytes
    is_cut: bool


class Module:
    """A rule module."""

    name: ClassVar[str]
    version: ClassVar[str] = "0.1.0"
    condition: ClassVar[str]
    rules: ClassVar[List[Rule]]
    capabilities: ClassVar[List[Capability]] = []
    state: ClassVar[State] = State.GLOBAL
    Row: ClassVar[type] = Row

    def start(self, config: Dict[str, str]) -> None:
        """A new instance, with what the settings have for it. `ValueError` refuses the module."""

    def event(self, row: Row, alerts: Alerts) -> None:
        """An event that meets the condition. They come in order."""

    def tick(self, time: int, alerts: Alerts) -> None:
        """The time of events has reached another second: nanoseconds since 1970."""

    def response(self, request: int, outcome: Union[Answer, str], alerts: Alerts) -> None:
        """What came of a request: the server's answer, or why there is none."""

    def batch(self, rows: bytes) -> List[Alert]:
        """Judges rows: what `event` is called by."""
        alerts = Alerts()
        for index, row in enumerate(rows_of(self.Row, rows)):
            alerts.row = index
            self.event(row, alerts)
        return alerts.all


from .host import http, kv, log, metrics, now  # noqa: E402
