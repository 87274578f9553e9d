"""The front door of a simulator: control routes, rate limit, faults and books around its app.

Knows no platform; everything outside the control routes is passed on byte for byte.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import parse_qsl

import orjson

from adapters.sandbox.books import Books
from adapters.sandbox.clock import Clock
from adapters.sandbox.faults import Effect, Fault, spoiled_rows
from adapters.sandbox.wire import (
    App,
    DroppedError,
    Json,
    Receive,
    Reply,
    Scope,
    Send,
    ask,
    give,
)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests in so many seconds; beyond that an HTML refusal with Retry-After."""

    requests: int
    seconds: float
    status: int = 429
    retry_after: int | None = None


class Front:
    """Control routes, rate limit, faults and books around the app of a platform."""

    def __init__(
        self,
        app: App,
        *,
        books: Books,
        clock: Clock,
        shop: Callable[[dict[str, Json]], Json],
        limit: RateLimit | None = None,
    ) -> None:
        self.faults: list[Fault] = []
        self._app = app
        self._books = books
        self._clock = clock
        self._shop = shop
        self._limit = limit
        self._arrivals: deque[datetime] = deque()
        self._previous: dict[tuple[str, str], Reply] = {}
        self._late: set[asyncio.Task[Reply]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; web sockets and lifespan are not part of any platform here."""
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        method, path = scope["method"], scope["path"]
        if path.startswith("/_"):
            reply = self._control(method, path, scope["query_string"].decode(), body)
            await give(reply, send, head=False)
            return
        fault = next((f for f in self.faults if f.takes(method, path, body)), None)
        query = scope["query_string"].decode()
        try:
            answer = self._refusal() or await self._answer(fault, scope, body, path)
        except DroppedError:
            self._books.note(method, path, query, body, None, fault.effect if fault else None)
            # A server closes the connection of an answer that was begun and failed; in process
            # the error itself gets through.
            start = {"status": 200, "headers": [(b"content-length", b"1000000")]}
            await send({"type": "http.response.start", **start})
            raise
        self._books.note(method, path, query, body, answer, fault.effect if fault else None)
        await give(answer.dated(self._clock.now()), send, head=method == "HEAD")

    async def settle(self) -> None:
        """Wait until the work of all late faults is done."""
        while self._late:
            await asyncio.gather(*self._late)

    def _refusal(self) -> Reply | None:
        if self._limit is None:
            return None
        now = self._clock.now()
        while self._arrivals and now - self._arrivals[0] >= timedelta(seconds=self._limit.seconds):
            self._arrivals.popleft()
        if len(self._arrivals) < self._limit.requests:
            self._arrivals.append(now)
            return None
        left = self._limit.seconds - (now - self._arrivals[0]).total_seconds()
        wait = self._limit.retry_after if self._limit.retry_after is not None else int(left) + 1
        return Reply.of_html(self._limit.status, "Too Many Requests", {"retry-after": str(wait)})

    async def _answer(self, fault: Fault | None, scope: Scope, body: bytes, path: str) -> Reply:
        """Ask the platform's app, or fail as ordered."""
        place = (str(scope["method"]), path)
        if fault is None:
            return self._remembered(place, await ask(self._app, scope, body))
        match fault.effect:
            case Effect.STATUS | Effect.HTML | Effect.GARBAGE | Effect.PARTLY:
                first = fault.done_first(body)
                if first is not None:
                    await ask(self._app, scope, first)
                await asyncio.sleep(fault.seconds)
                return fault.canned()
            case Effect.RESET | Effect.TIMEOUT_BEFORE:
                await asyncio.sleep(fault.seconds)
                raise DroppedError("the simulator closed the connection before the work")
            case Effect.TIMEOUT_AFTER:
                await ask(self._app, scope, body)
                await asyncio.sleep(fault.seconds)
                raise DroppedError("the simulator closed the connection after the work")
            case Effect.LATE:
                task = asyncio.ensure_future(self._work_late(fault.seconds, scope, body))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                return fault.canned()
            case Effect.DELAY | Effect.TWICE:
                await asyncio.sleep(fault.seconds)
                times = 2 if fault.effect is Effect.TWICE else 1
                replies = [await ask(self._app, scope, body) for _ in range(times)]
                return self._remembered(place, replies[-1])
            case Effect.CUT_PAGE | Effect.EMPTY:
                reply = self._remembered(place, await ask(self._app, scope, body))
                return reply.with_body(spoiled_rows(reply.body, fault.effect is Effect.CUT_PAGE))
            case Effect.REPEAT_PAGE:
                previous = self._previous.get(place)
                reply = self._remembered(place, await ask(self._app, scope, body))
                return reply.with_body(previous.body) if previous is not None else reply
        assert_never(fault.effect)

    def _remembered(self, place: tuple[str, str], reply: Reply) -> Reply:
        self._previous[place] = reply
        return reply

    async def _work_late(self, seconds: float, scope: Scope, body: bytes) -> Reply:
        await asyncio.sleep(seconds)
        return await ask(self._app, scope, body)

    def _control(self, method: str, path: str, query: str, body: bytes) -> Reply:
        try:
            content: Json = orjson.loads(body) if body else {}
            order = content if isinstance(content, dict) else {}
            match method, path:
                case "GET", "/_books":
                    since = dict(parse_qsl(query)).get("since", "0")
                    return Reply.of_json(200, self._books.report(int(since)))
                case "POST", "/_books/reset":
                    self._books.reset()
                    return Reply.of_json(200, {})
                case "POST", "/_shop":
                    return Reply.of_json(200, self._shop(order))
                case "POST", "/_faults":
                    self.faults.append(Fault.parse(order))
                case "DELETE", "/_faults":
                    self.faults.clear()
                case "GET", "/_faults":
                    pass
                case "POST", "/_clock":
                    return Reply.of_json(200, self._clock.control(order))
                case _:
                    return Reply.of_json(404, {"error": f"no control route {method} {path}"})
        except (
            ValueError,
            KeyError,
        ) as error:  # a mistyped control request, whatever it tripped over
            return Reply.of_json(400, {"error": str(error)})
        return Reply.of_json(200, {"faults": [fault.state() for fault in self.faults]})
