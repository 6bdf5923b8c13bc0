"""What a module may call. Natively, in tests, there are stand-ins."""

from typing import Dict, List, Optional, Tuple


_IS_NATIVE = False
try:
    import wit_world  # noqa: F401
except ImportError:
    _IS_NATIVE = True


# There are no files when a component runs: what is to be imported is imported when it is built.
_interfaces = {}
for _name in () if _IS_NATIVE else ("log", "clock", "kv", "metrics", "http"):
    try:
        _interfaces[_name] = __import__(f"wit_world.imports.{_name}", fromlist=[_name])
    except ImportError:
        # The module does not say that it wants it.
        pass


def _imported(name: str):
    if name not in _interfaces:
        raise Refused(f"the module does not say that it wants `{name}`")
    return _interfaces[name]


class log:
    """Says something to whoever runs Saker."""

    @staticmethod
    def _write(level: str, message: str) -> None:
        if _IS_NATIVE:
            print(f"{level}: {message}")
            return
        log_ = _imported("log")
        log_.write(log_.Level[level], message)

    @staticmethod
    def debug(message: str) -> None:
        log._write("DEBUG", message)

    @staticmethod
    def info(message: str) -> None:
        log._write("INFO", message)

    @staticmethod
    def warn(message: str) -> None:
        log._write("WARN", message)

    @staticmethod
    def error(message: str) -> None:
        log._write("ERROR", message)


_now = 0
_kept: Dict[str, bytes] = {}


def now() -> int:
    """Nanoseconds since 1970, in whole milliseconds. Wants `Capability.CLOCK`. Natively, the time
    of the last event."""
    return _now if _IS_NATIVE else _imported("clock").now()


class Refused(Exception):
    """The host did not take it."""


def _refused(call):
    # Only a component has this package.
    from componentize_py_types import Err

    try:
        return call()
    except Err as error:
        raise Refused(getattr(error.value, "name", str(error.value)).lower()) from None


class kv:
    """Values that outlive the module's instance. Wants `Capability.KV`."""

    @staticmethod
    def get(key: str) -> Optional[bytes]:
        return _kept.get(key) if _IS_NATIVE else _imported("kv").get(key)

    @staticmethod
    def set(key: str, value: bytes) -> None:
        """Keeps a value in place of the one before; raises `Refused`."""
        if _IS_NATIVE:
            _kept[key] = value
        else:
            _refused(lambda: _imported("kv").set(key, value))

    @staticmethod
    def delete(key: str) -> None:
        if _IS_NATIVE:
            _kept.pop(key, None)
        else:
            _imported("kv").delete(key)


class metrics:
    """Numbers for whoever runs Saker. Wants `Capability.METRICS`."""

    @staticmethod
    def add(name: str, by: int = 1) -> None:
        """Adds to a number that only grows; raises `Refused`."""
        if not _IS_NATIVE:
            _refused(lambda: _imported("metrics").add(name, by))

    @staticmethod
    def set(name: str, value: float) -> None:
        """Sets a number that goes up and down; raises `Refused`."""
        if not _IS_NATIVE:
            _refused(lambda: _imported("metrics").set(name, value))


class http:
    """Requests to servers that the settings name. Wants `Capability.HTTP`."""

    @staticmethod
    def submit(
        method: str, url: str, headers: List[Tuple[str, str]] = [], body: bytes = b""
    ) -> int:
        """Queues a request, and gives the number that `Module.response` will have; raises
        `Refused`."""
        if _IS_NATIVE:
            raise Refused("unavailable")
        http_ = _imported("http")
        request = http_.Request(method, url, list(headers), body)
        return _refused(lambda: http_.submit(request))
