"""Orders to fail: which requests and how; what carries them out is the front door.

Must not know a platform: what is spoiled is any HTTP answer, any JSON list.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import NoneType

import orjson

from adapters.sandbox.wire import ControlError, Json, Reply


class Effect(StrEnum):
    """How a request is made to fail."""

    STATUS = (
        "status"  # answer with `status`, `headers`, `body`; with `after` the work is done first
    )
    HTML = "html"  # the same with an HTML page, 503 by default
    GARBAGE = (
        "garbage"  # 200 with a body cut in the middle of its JSON; with `after` the work is done
    )
    RESET = "reset"  # the connection is closed at once, nothing is done
    TIMEOUT_BEFORE = "timeout_before"  # silence for `seconds`, then closed; nothing is done
    TIMEOUT_AFTER = "timeout_after"  # the work is done, then silence for `seconds`, then closed
    PARTLY = "partly"  # the first half of the longest list sent is done, then a status of failure
    TWICE = "twice"  # the work is done twice, as by a proxy that sends again; the second answer
    LATE = "late"  # a gateway time-out now, the work `seconds` later
    DELAY = "delay"  # the right answer, `seconds` late
    CUT_PAGE = "cut_page"  # the longest list of the answer loses its second half
    EMPTY = "empty"  # the longest list of the answer loses everything
    REPEAT_PAGE = "repeat_page"  # the previous answer of the same method and path once more


_FIELDS: dict[str, tuple[type, ...]] = {
    "method": (str, NoneType),
    "path_contains": (str,),
    "body_contains": (str,),
    "nth": (int,),
    "times": (int, NoneType),
    "status": (int, NoneType),
    "headers": (dict,),
    "body": (str, NoneType),
    "seconds": (int, float),
    "after": (bool,),
}


@dataclass(slots=True)
class Fault:
    """One order to fail: which requests (the `nth` match from now, so many `times`) and how."""

    effect: Effect
    method: str | None = None
    path_contains: str = ""
    body_contains: str = ""
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    seconds: float = 0.0
    after: bool = False
    seen: int = 0
    done: int = 0

    @staticmethod
    def parse(order: dict[str, Json]) -> "Fault":
        """Read a `/_faults` request; what it cannot mean is refused with the field named."""
        match = order.get("match") or {}
        if not isinstance(match, dict):
            raise ControlError("match must be an object")
        given = {**match, **{name: value for name, value in order.items() if name != "match"}}
        try:
            fault = Fault(Effect(str(given.pop("effect", None))))
        except ValueError as error:
            raise ControlError(f"effect must be one of {', '.join(Effect)}") from error
        for name, value in given.items():
            # A boolean is an integer to Python, never to whoever writes a fault.
            fits = isinstance(value, _FIELDS.get(name, ()))
            if not fits or isinstance(value, bool) != (name == "after"):
                raise ControlError(f"{name} is unknown or has a value that cannot be used")
            setattr(fault, name, value)
        fault.method = fault.method and fault.method.upper()
        return fault

    def takes(self, method: str, path: str, body: bytes) -> bool:
        """Count the request if it matches, and say whether this fault applies to it."""
        if self.method not in (None, method) or self.path_contains not in path:
            return False
        if self.body_contains.encode() not in body:
            return False
        if self.times is not None and self.done >= self.times:
            return False
        self.seen += 1
        if self.seen < self.nth:
            return False
        self.done += 1
        return True

    def state(self) -> Json:
        """Show the order and how often it was met and carried out."""
        shown = ("method", "path_contains", "body_contains", "nth", "times", "status", "seconds")
        return {
            "effect": self.effect.value,
            **{name: getattr(self, name) for name in (*shown, "after", "seen", "done")},
        }

    def done_first(self, body: bytes) -> bytes | None:
        """The part of a request that is carried out before this fault answers, if any."""
        if self.effect is Effect.PARTLY:
            return spoiled_rows(body, keep_half=True)
        return body if self.after else None

    def canned(self) -> Reply:
        """Make the answer that this fault gives instead of the right one."""
        if self.effect is Effect.GARBAGE:
            return Reply(
                self.status or 200, ((b"content-type", b"application/json"),), b'[{"id": 1, "na'
            )
        if self.effect is Effect.STATUS and self.body is not None:
            pairs = {"content-type": "application/json", **self.headers}
            raw = tuple((k.lower().encode(), str(v).encode()) for k, v in pairs.items())
            return Reply(self.status or 500, raw, self.body.encode())
        default = {Effect.STATUS: 500, Effect.PARTLY: 500, Effect.LATE: 504}.get(self.effect, 503)
        text = self.body or "Briefly unavailable for scheduled maintenance. Check back in a minute."
        return Reply.of_html(self.status or default, text, self.headers)


def spoiled_rows(body: bytes, keep_half: bool) -> bytes:
    """Shorten the longest list anywhere in a JSON body; what is not JSON is emptied."""
    try:
        content: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        return b""
    lists: list[list[Json]] = []
    waiting: list[Json] = [content]
    while waiting:
        match waiting.pop():
            case list() as rows:
                lists.append(rows)
                waiting.extend(rows)
            case dict() as fields:
                waiting.extend(fields.values())
            case _:
                pass
    if lists:
        longest = max(lists, key=len)
        del longest[len(longest) // 2 if keep_half else 0 :]
    return orjson.dumps(content)
