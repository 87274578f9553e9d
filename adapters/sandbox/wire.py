"""The shapes a simulator speaks in: JSON, ASGI, a whole answer held back, and refusals.

At the bottom of the shared simulator parts; must not know clock, books or faults.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# ASGI's own shapes: the values of a scope or message are whatever the server puts there, hence Any.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class ControlError(ValueError):
    """A control request that cannot be carried out; its text is the answer."""


class DroppedError(ConnectionAbortedError):
    """The simulator closed the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer, held back so that it can be counted, spoiled or dropped."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @staticmethod
    def of_json(status: int, content: Json) -> "Reply":
        """Make a JSON answer."""
        return Reply(status, ((b"content-type", b"application/json"),), orjson.dumps(content))

    @staticmethod
    def of_html(status: int, text: str, headers: dict[str, str] | None = None) -> "Reply":
        """Make an HTML page, as the software in front of a platform answers."""
        pairs = {"content-type": "text/html; charset=utf-8", **(headers or {})}
        raw = tuple((name.lower().encode(), value.encode()) for name, value in pairs.items())
        return Reply(status, raw, f"<html><body>{text}</body></html>".encode())

    def with_body(self, body: bytes) -> "Reply":
        """Return the same answer with another body."""
        return Reply(self.status, self.headers, body)

    def dated(self, moment: datetime) -> "Reply":
        """Return the same answer with the time at which it was given, as web servers state it."""
        if any(name.lower() == b"date" for name, _ in self.headers):
            return self
        date = (b"date", format_datetime(moment.astimezone(UTC), usegmt=True).encode())
        return Reply(self.status, (*self.headers, date), self.body)


async def ask(app: App, scope: Scope, body: bytes) -> Reply:
    """Put one buffered request to an ASGI app and buffer its answer."""
    status, headers, chunks = 500, (), []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(message.get("headers", ()))
        else:
            chunks.append(message.get("body", b""))

    await app(dict(scope), receive, send)
    return Reply(status, headers, b"".join(chunks))


async def give(reply: Reply, send: Send, head: bool) -> None:
    """Send a held-back answer, without its body if only its head was asked for."""
    kept = [(name, value) for name, value in reply.headers if name.lower() != b"content-length"]
    kept.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": kept})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})
