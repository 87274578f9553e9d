"""The HTTP application: GraphQL, catalog files, health. Wired by the caller, started elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.context import BudgetReader, no_budget
from api.graphql_route import graphql_route
from api.http import Endpoint, HttpFaultError, SecurityHeaders, answer, guarded, refusal
from api.limits import Limits
from api.schema import build_schema
from api.uploads import imports_route
from reconcile.contract import Platform
from reconcile.deps import Deps
from reconcile.store.workers import is_any_alive

HEALTH_SECONDS = 5.0

Check = Callable[[], Awaitable[bool]]


def build_app(
    deps: Deps,
    platforms: Mapping[str, Platform] | None = None,
    *,
    limits: Limits | None = None,
    queue: Check | None = None,
    budget: BudgetReader = no_budget,
) -> Starlette:
    """The application over these parts.

    `queue` says whether the queue answers, for /health; `budget` reads the request budget of a
    channel, for `Channel.budget`. Both live beside the queue, which the API itself does not know.
    """
    limits = limits or Limits()
    schema = build_schema(deps.platforms if platforms is None else platforms, limits)
    return Starlette(
        routes=[
            Route("/graphql", graphql_route(deps, schema, limits, budget), methods=["POST"]),
            Route("/imports", imports_route(deps, limits), methods=["POST"]),
            Route("/health", _health(deps, queue), methods=["GET"]),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _not_served},
    )


async def _not_served(_request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, wrong method) in our JSON."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    messages = {
        404: "There is nothing here. The API is `POST /graphql`.",
        405: "This address does not take that method. The API is `POST /graphql`.",
    }
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
    message = messages.get(status, "The request was refused.")
    return refusal(HttpFaultError(status, codes.get(status, "BAD_REQUEST"), message, headers))


def _health(deps: Deps, queue: Check | None) -> Endpoint:
    @guarded
    async def health(_request: Request) -> Response:
        """Whether the parts answer; without a worker it is alive, but nothing runs."""
        database, worker = await _database(deps)
        parts = {"database": database, "worker": worker}
        if queue is not None:
            parts["queue"] = await _answers(queue)
        status = "ok" if all(parts.values()) else "degraded" if database else "down"
        words = {name: "ok" if is_well else "missing" for name, is_well in parts.items()}
        return answer({"status": status, **words}, 200 if database else 503)

    return health


async def _database(deps: Deps) -> tuple[bool, bool]:
    try:
        async with asyncio.timeout(HEALTH_SECONDS), deps.engine.connect() as conn:
            return True, await is_any_alive(conn)
    except (SQLAlchemyError, OSError, TimeoutError):
        return False, False


async def _answers(check: Check) -> bool:
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            return await check()
    except (OSError, TimeoutError):
        return False
