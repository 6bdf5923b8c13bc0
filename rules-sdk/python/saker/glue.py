"""Between a module and the world; nothing here concerns a module."""

import types
from typing import Type

from . import Answer, Module, log


def module_in(source: types.ModuleType) -> Type[Module]:
    """The one module that a file has."""
    found = [
        value
        for value in vars(source).values()
        if isinstance(value, type) and issubclass(value, Module) and value is not Module
    ]
    if len(found) != 1:
        raise TypeError(f"{source.__name__}.py has {len(found)} classes below `saker.Module`, not 1")
    return found[0]


def exported(source: types.ModuleType) -> type:
    """The class that the world wants, of the module that a file has."""
    from componentize_py_types import Err, Ok
    from wit_world.exports import module as world

    own = module_in(source)

    def value(given):
        # A truth value is a number, too.
        if isinstance(given, bool):
            return world.Value_Boolean(given)
        if isinstance(given, int):
            if given < 0:
                return world.Value_Signed(max(given, -(1 << 63)))
            return world.Value_Unsigned(min(given, (1 << 64) - 1))
        if isinstance(given, float):
            return world.Value_Real(given)
        return world.Value_Text(str(given).encode("utf-8", "replace").decode())

    def told(alerts):
        return [
            world.Alert(
                alert.row,
                alert.rule,
                alert.message,
                [(name, value(given)) for name, given in alert.fields],
            )
            for alert in alerts
        ]

    def said(call):
        # What a module raises ends its instance: whoever wrote it wants to know where.
        def calling(*arguments):
            try:
                return call(*arguments)
            except Err:
                raise
            except Exception as error:
                log.error(f"{type(error).__name__}: {error}")
                at = error.__traceback__
                while at is not None:
                    log.error(f"  in {at.tb_frame.f_code.co_qualname}, line {at.tb_lineno}")
                    at = at.tb_next
                raise

        return calling

    # Every call is made on another object of the class.
    at_work = []

    class Exported:
        def describe(self):
            return world.Description(
                own.name,
                own.version,
                [
                    world.Rule(
                        rule.name,
                        rule.description,
                        world.Priority(rule.priority.value),
                        list(rule.tags),
                        rule.output,
                    )
                    for rule in own.rules
                ],
                world.Subscription(own.condition, [c.name for c in own.Row._columns]),
                [world.Capability(wanted.value) for wanted in own.capabilities],
                world.State(own.state.value),
            )

        @said
        def init(self, config, layout):
            expected = [(c.name, c.kind, c.many) for c in own.Row._columns]
            given = [(c.name, c.kind.name.lower(), c.many) for c in layout]
            if given != expected:
                raise Err(f"rows hold {given} here, the module was built for {expected}")
            at_work[:] = [own()]
            try:
                at_work[0].start(dict(config))
            except ValueError as error:
                raise Err(str(error)) from None

        @said
        def on_batch(self, rows):
            return told(at_work[0].batch(rows))

        @said
        def on_tick(self, time):
            from . import Alerts

            alerts = Alerts()
            at_work[0].tick(time, alerts)
            return told(alerts.all)

        @said
        def on_response(self, request, outcome):
            from . import Alerts

            alerts = Alerts()
            if isinstance(outcome, Ok):
                answer = outcome.value
                outcome = Answer(answer.status, answer.headers, answer.body, answer.cut)
            else:
                outcome = outcome.value
            at_work[0].response(request, outcome, alerts)
            return told(alerts.all)

    return Exported


if __name__ == "__main__":
    # For `saker module build`: what the module wants to be allowed.
    import importlib
    import sys

    sys.path.insert(0, ".")
    for wanted in module_in(importlib.import_module(sys.argv[1])).capabilities:
        print(f"capability {wanted.name.lower()}")
