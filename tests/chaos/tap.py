"""Sits before a simulated store and springs traps at chosen requests, before or after the work.

Knows no platform: control routes are passed on, everything else is a request.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.features.loopback import Loopback, Served

_SHARED = threading.Lock()
"""Several taps may share a trap."""


@dataclass(slots=True)
class Trap:
    """Something that happens once, at the nth matching request; several taps may share it."""

    spring: Callable[[], None]
    nth: int = 1
    method: str | None = None
    after_work: bool = False
    """The store has done its work and not answered yet."""
    seen: int = 0
    is_sprung: bool = False

    def takes(self, method: str) -> bool:
        """Count a request, and say whether it is the one."""
        if self.is_sprung or self.method not in (None, method):
            return False
        self.seen += 1
        self.is_sprung = self.seen >= self.nth
        return self.is_sprung


class Tap:
    """An ASGI app around a store's; `Any` because scopes and messages are the server's."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._traps: list[Trap] = []
        self._lock = threading.Lock()

    def lay(self, trap: Trap) -> None:
        """Wait for the request that springs a trap."""
        with self._lock:
            self._traps.append(trap)

    def clear(self) -> None:
        """No more traps."""
        with self._lock:
            self._traps.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, springing the traps it sets off."""
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._app(scope, receive, send)
            return
        with self._lock, _SHARED:
            sprung = [trap for trap in self._traps if trap.takes(scope["method"])]
        for trap in sprung:
            if not trap.after_work:
                await asyncio.to_thread(trap.spring)
        later = [trap for trap in sprung if trap.after_work]

        async def answer(message: Any) -> None:
            while later and message["type"] == "http.response.start":
                await asyncio.to_thread(later.pop().spring)
            await send(message)

        await self._app(scope, receive, answer)


class TappedLoopback(Loopback):
    """Serves stores with a tap before each; `taps` in the order they were served."""

    def __init__(self) -> None:
        super().__init__()
        self.taps: list[Tap] = []

    def serve(self, app: Any) -> Served:
        """Serve a store behind a tap."""
        self.taps.append(Tap(app))
        return super().serve(self.taps[-1])
