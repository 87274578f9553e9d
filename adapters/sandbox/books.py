"""What a simulated store was asked and what it did, for tests and for `/_books`.

Must not keep a body or a secret: bodies are measured, secrets of a query are blanked.
"""

import re
from collections import Counter, deque
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from adapters.sandbox.clock import Clock
from adapters.sandbox.wire import Json, Reply

_SECRET = re.compile(r"key|secret|token|signature|password|hmac|code", re.IGNORECASE)
_LOG_LENGTH = 5_000
_EFFECTS_LENGTH = 200_000


def route_template(method: str, path: str, _body: bytes) -> str:
    """Name a request by its method and its path with the numbers taken out."""
    return f"{method} " + re.sub(r"(?<=/)\d+(?=/|$)", "{id}", path)


class Books:
    """Counts what the store was asked and keeps what it did; `holdings` says what it holds."""

    def __init__(
        self,
        clock: Clock,
        holdings: Callable[[], Json],
        route: Callable[[str, str, bytes], str] = route_template,
    ) -> None:
        self._clock = clock
        self._holdings = holdings
        self._route = route
        self._serial = 0
        self.reset()

    def reset(self) -> None:
        """Forget the requests and effects so far; the holdings stay."""
        self.total = 0
        self.by_route: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.log: deque[dict[str, Json]] = deque(maxlen=_LOG_LENGTH)
        self.effects: deque[dict[str, Json]] = deque(maxlen=_EFFECTS_LENGTH)

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def note(
        self,
        method: str,
        path: str,
        query: str,
        body: bytes,
        reply: Reply | None,
        fault: str | None,
    ) -> None:
        """Keep one request; secrets of its query are blanked, its bodies are only measured."""
        route = self._route(method, path, body)
        status = reply.status if reply is not None else 0
        self.total += 1
        self.by_route[route] += 1
        self.by_status[str(status)] += 1
        pairs = parse_qsl(query, keep_blank_values=True)
        clean = urlencode([(k, "***" if _SECRET.search(k) else v) for k, v in pairs])
        self.log.append(
            {
                "n": self._next(),
                "at": self._clock.now().isoformat(),
                "method": method,
                "path": path,
                "route": route,
                "query": clean,
                "status": status,
                "body_bytes": len(body),
                "answer_bytes": len(reply.body) if reply is not None else 0,
                "fault": fault,
            }
        )

    def effect(self, what: str, kind: str, by: str, **details: Json) -> None:
        """Keep one change of the holdings: create, update, trash or delete."""
        at = self._clock.now().isoformat()
        self.effects.append(
            {"n": self._next(), "at": at, "effect": what, "kind": kind, "by": by, **details}
        )

    def report(self, since: int = 0) -> dict[str, Json]:
        """Show counts and holdings, and the log and effects after the serial number `since`."""

        def later(rows: deque[dict[str, Json]]) -> list[Json]:
            return [row for row in rows if isinstance(row["n"], int) and row["n"] > since]

        return {
            "now": self._clock.now().isoformat(),
            "serial": self._serial,
            "requests": {
                "total": self.total,
                "by_route": dict(self.by_route),
                "by_status": dict(self.by_status),
            },
            "log": later(self.log),
            "effects": later(self.effects),
            "holdings": self._holdings(),
        }
