"""Serves simulated stores, and things that are no stores, on loopback sockets of this process.

One thread with one event loop for all of them; an app is served until its handle is closed.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from adapters.sandbox import serving

_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Served:
    """An app that answers at `url` until `close`."""

    url: str
    close: Callable[[], None]


class Loopback:
    """A thread that serves ASGI apps."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stores", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def serve(self, app: Any) -> Served:
        """Serve an ASGI app; `Any` because a simulator's own type is its platform's business."""
        context = serving(app)
        url = self._do(context.__aenter__())
        return Served(url, lambda: self._do(context.__aexit__(None, None, None)))

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)
