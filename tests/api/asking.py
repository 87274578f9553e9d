"""How tests ask the API: GraphQL over HTTP into the application, without a socket."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from api import Limits, build_app
from reconcile.commands import tokens
from reconcile.commands.tokens import Scope
from reconcile.deps import Deps

CREDENTIALS = {"double": {"store": "main", "secret": "right"}}


@dataclass(frozen=True)
class Client:
    """An HTTP client with a token."""

    http: httpx.AsyncClient

    async def send(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to an operation."""
        response = await self.http.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 200, response.text
        content: dict[str, Any] = response.json()
        return content

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        content = await self.send(query, **variables)
        assert "errors" not in content, content["errors"]
        return content["data"]

    async def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one error of an answer."""
        content = await self.send(query, **variables)
        (error,) = content["errors"]
        assert isinstance(error, dict)
        return error

    async def do(self, mutation: str, given: object, selection: str) -> Any:
        """The payload of a mutation that was not refused."""
        payload = await self.mutate(mutation, given, selection)
        assert payload["userErrors"] == [], payload["userErrors"]
        return payload

    async def refusal(self, mutation: str, given: object) -> list[dict[str, Any]]:
        """The user errors of a mutation that was refused."""
        payload = await self.mutate(mutation, given, "")
        assert payload["userErrors"] != []
        errors: list[dict[str, Any]] = payload["userErrors"]
        return errors

    async def mutate(self, mutation: str, given: object, selection: str) -> Any:
        """The payload of a mutation."""
        kind = INPUTS.get(mutation, f"{mutation[0].upper()}{mutation[1:]}Input")
        query = (
            f"mutation Act($input: {kind}!) {{ {mutation}(input: $input) "
            f"{{ {selection} userErrors {{ code message path }} }} }}"
        )
        return (await self.ask(query, input=given))[mutation]


_CHANNEL = ("channelCheck", "channelPause", "channelResume", "channelRemove")
_TARGETS = ("Pause", "Unpause", "Hide", "Unhide", "Delist", "Relist")
INPUTS = {
    **dict.fromkeys(_CHANNEL, "ChannelInput"),
    **{f"listing{verb}": "ListingTargetsInput" for verb in _TARGETS},
    **{f"listing{verb}Matching": "ListingMatchingInput" for verb in ("Pause", "Unpause")},
    **{f"order{verb}": "OrderIdInput" for verb in ("Release", "Close")},
    **{f"variant{verb}": "VariantIdInput" for verb in ("Unlink", "Relink", "Republish")},
}


@asynccontextmanager
async def client_for(
    deps: Deps, *scopes: Scope, limits: Limits | None = None
) -> AsyncIterator[Client]:
    """A client of an application over these parts, with a token of these scopes."""
    made = await tokens.create(deps, "test", scopes, by="test")
    async with raw_client(deps, limits) as http:
        http.headers["Authorization"] = f"Bearer {made.secret}"
        yield Client(http)


def raw_client(deps: Deps, limits: Limits | None = None) -> httpx.AsyncClient:
    """A client without a token."""
    transport = httpx.ASGITransport(app=build_app(deps, limits=limits))
    return httpx.AsyncClient(transport=transport, base_url="http://tallyport.test")


async def connected(client: Client, name: str = "shop") -> str:
    """The id of a new channel on the test platform."""
    given = {"name": name, "credentials": CREDENTIALS}
    payload = await client.do("channelConnect", given, "channel { id }")
    number: str = payload["channel"]["id"]
    return number


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """The SQL statements that are executed meanwhile."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
