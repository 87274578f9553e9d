"""A client of the GraphQL API over HTTP, as the command line and the demo use it.

It knows how the API answers (data, userErrors, errors, statuses) and nothing of any noun. Every
fault becomes one of these, with a sentence that says what to do::

    ClientError
    ├── UnreachableError     nothing answers at the address
    ├── NotAllowedError      the token is missing, unknown, or lacks a scope
    ├── RefusedError         userErrors: code, message and path of each
    └── FaultError           the API could not make sense of the request, or failed itself
        └── UnavailableError its database is away or starting; the same may be asked again soon
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeAlias

import httpx
import orjson

Json: TypeAlias = Any
"""An answer of the API: shaped by the query that asked for it, which no type can follow."""

_CHUNK = 256 * 1024
_PATIENCE_SECONDS = 20.0
_UNAVAILABLE = "UNAVAILABLE"


class ClientError(Exception):
    """Something the API did not do, said so that a person knows what to do."""


class UnreachableError(ClientError):
    """Nothing answers at the address."""


class NotAllowedError(ClientError):
    """The token is missing, unknown, or lacks a scope."""


class FaultError(ClientError):
    """The API could not make sense of the request, or failed itself."""


class UnavailableError(FaultError):
    """The API cannot reach its database for the moment; nothing was done."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One userError."""

    code: str
    message: str
    path: tuple[str, ...] = ()


class RefusedError(ClientError):
    """The API understood and refused; nothing was changed."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals = refusals


class ApiClient:
    """Speaks to one instance with one token; `close` it, or use it as a context."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise UnreachableError(
                f"{url} is no address of an API; it looks like http://127.0.0.1:8420."
            )
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=timeout,
            transport=transport,
            verify=_certificates(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections."""
        self._http.close()

    def query(self, document: str, variables: Mapping[str, Json] | None = None) -> Json:
        """Run a query and return its data; a short absence of the server is waited out."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        pause = 0.2
        while True:
            try:
                return self._execute(document, variables)
            except httpx.ConnectError as error:
                raise self._unreachable() from error
            except (httpx.TransportError, UnavailableError) as error:
                # The server may have been restarted under us, or its database: a query can be
                # asked again.
                if time.monotonic() + pause > deadline:
                    raise (
                        error if isinstance(error, UnavailableError) else self._silent()
                    ) from error
                time.sleep(pause)
                pause = min(pause * 2, 2.0)

    def mutate(
        self, document: str, variables: Mapping[str, Json], *, in_part: bool = False
    ) -> Json:
        """Run a mutation of one field and return its payload, or raise what was refused.

        With `in_part` the payload says itself what was refused of several things.
        """
        try:
            answer = self._execute(document, variables)
        except httpx.ConnectError as error:
            raise self._unreachable() from error
        except httpx.TransportError as error:
            raise self._silent() from error
        payload = next(iter(answer.values()))
        problems = payload.get("userErrors") or ()
        if problems and not in_part:
            raise RefusedError(tuple(_refusal(problem) for problem in problems))
        return payload

    def pages(
        self, document: str, variables: Mapping[str, Json], path: tuple[str, ...]
    ) -> Iterator[Json]:
        """Yield the nodes of a connection to its end; the document takes `$after`."""
        after: str | None = None
        while True:
            connection = self.query(document, {**variables, "after": after})
            for part in path:
                connection = (connection or {}).get(part)
            if connection is None:
                return
            yield from connection["nodes"]
            if not connection["pageInfo"]["hasNextPage"]:
                return
            after = connection["pageInfo"]["endCursor"]

    def upload(
        self,
        path: Path,
        parameters: Mapping[str, str],
        *,
        read: Callable[[int], None] | None = None,
    ) -> Json:
        """Stream a file to `POST /imports`; `read` is told how many bytes have left."""
        with path.open("rb") as file:
            try:
                response = self._http.post(
                    "/imports",
                    params=dict(parameters),
                    content=_chunks(file, read),
                    headers={"content-type": "application/octet-stream"},
                    timeout=httpx.Timeout(60.0, read=300.0),
                )
            except httpx.ConnectError as error:
                raise self._unreachable() from error
            except httpx.TransportError as error:
                raise self._silent() from error
        return self._checked(response)

    def health(self) -> bool:
        """Whether the server answers and says that it is well."""
        try:
            return self._http.get("/health", timeout=5.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _execute(self, document: str, variables: Mapping[str, Json] | None) -> Json:
        body = orjson.dumps({"query": document, "variables": variables or {}})
        response = self._http.post(
            "/graphql", content=body, headers={"content-type": "application/json"}
        )
        answer = self._checked(response)
        errors = answer.get("errors")
        if errors:
            raise _fault(errors)
        return answer["data"]

    def _checked(self, response: httpx.Response) -> Json:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise NotAllowedError(
                f"{self.url} does not accept this token. Make one on the machine Tallyport runs "
                "on with `tallyport token create NAME --scope admin`, then pass it with --token "
                "or TALLYPORT_TOKEN."
            )
        try:
            answer = orjson.loads(response.content)
        except ValueError as error:
            raise FaultError(
                f"{self.url} answered with status {response.status_code} and no JSON. "
                "Is it the address of a Tallyport API?"
            ) from error
        if not isinstance(answer, dict):
            raise FaultError(f"{self.url} does not answer like a Tallyport API.")
        problems = answer.get("userErrors")
        if problems:
            raise RefusedError(tuple(_refusal(problem) for problem in problems))
        if response.status_code == httpx.codes.FORBIDDEN:
            raise NotAllowedError(_message_of(answer) or "The token lacks the scope for this.")
        told = answer.get("error")
        if response.is_client_error and isinstance(told, dict) and told.get("message"):
            raise RefusedError((_refusal(told),))
        if response.is_error and isinstance(told, dict) and told.get("code") == _UNAVAILABLE:
            raise UnavailableError(_message_of(answer))
        if response.is_error and "data" not in answer:
            text = _message_of(answer) or f"{self.url} answered with {response.status_code}."
            raise FaultError(text)
        return answer

    def _unreachable(self) -> UnreachableError:
        return UnreachableError(
            f"Nothing answers at {self.url}. Is Tallyport running? Start it with `tallyport up`, "
            "or say where it is with --url or TALLYPORT_URL."
        )

    def _silent(self) -> UnreachableError:
        return UnreachableError(
            f"{self.url} took the request and did not answer. Look at its log, then try again."
        )


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; read once, because reading takes longer than most requests."""
    return httpx.create_ssl_context()


def _chunks(file: BinaryIO, read: Callable[[int], None] | None) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
        if read is not None:
            read(len(chunk))


def _refusal(problem: Json) -> Refusal:
    path = problem.get("path") or ()
    return Refusal(
        code=str(problem.get("code", "")),
        message=str(problem.get("message", "")),
        path=tuple(str(part) for part in path),
    )


def _message_of(answer: Mapping[str, Json]) -> str:
    errors = answer.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("message", ""))
    error = answer.get("error")
    if isinstance(error, dict):
        return str(error.get("message", ""))
    return str(error or answer.get("message") or "")


def _fault(errors: list[Json]) -> ClientError:
    first = errors[0]
    code = str((first.get("extensions") or {}).get("code", ""))
    text = "; ".join(str(error.get("message", "")) for error in errors)
    if code in {"FORBIDDEN", "UNAUTHORIZED", "UNAUTHENTICATED"}:
        return NotAllowedError(text)
    return UnavailableError(text) if code == _UNAVAILABLE else FaultError(text)
