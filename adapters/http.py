"""HTTP as every platform adapter uses it: one client, one way to send, one way to fail.

Sits between an adapter's client and `contract.Transport`. Sorts failures into the contract's errors
with the effect they may have had, never follows a redirect, never assumes that an answer is JSON.
Must not know a platform: what an error body means is read by a function the platform hands in.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson

from adapters.redaction import clean_text, redact, redact_url, without_json
from adapters.safe_fetch import AddressRefusedError, GuardedTransport
from reconcile.contract import (
    AdapterError,
    BudgetObservation,
    Effect,
    Exchange,
    RateLimitedError,
    RejectedError,
    Transport,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

REQUEST_SECONDS = 30.0
"""Longest a request may take in all, unless a platform's settings say otherwise."""

MAX_BODY_BYTES = 32 * 1024 * 1024
"""An answer beyond this is not an API's answer; reading on would fill the memory."""

_NULL = re.compile(rb"(?<!\\)((?:\\\\)*)(?:\\u0000)+")
"""A null character in JSON, as opposed to a backslash followed by such letters."""

_MAX_WAIT = timedelta(hours=24)


def create_client(
    allowed_hosts: frozenset[str] = frozenset(),
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """The client every adapter request leaves through; addresses are guarded.

    `transport` replaces the guarded one and is meant for simulators in the same process.
    """
    # httpx logs every address with its query at INFO; signatures and keys may stand in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=transport or GuardedTransport(allowed_hosts),
        timeout=httpx.Timeout(60.0, connect=5.0, pool=10.0),  # the whole: `Caller.seconds`
        follow_redirects=False,
        # A proxy would resolve names itself, past the guard.
        trust_env=False,
        headers={"User-Agent": "Tallyport", "Accept": "application/json"},
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an adapter."""

    method: str
    url: str
    route: str
    """What the log calls it: `POST /products/batch`."""
    params: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    secret_params: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further query parameters that only prove who we are."""
    is_write: bool = False

    @property
    def effect(self) -> Effect:
        """What may have happened once this has left."""
        return Effect.POSSIBLE if self.is_write else Effect.NONE


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with status 2xx whose body is JSON, or any answer whose errors are to be read."""

    status: int
    headers: httpx.Headers
    body: Json
    is_json: bool
    text: str
    """The beginning of the body as text."""
    sent_at: datetime


ErrorReader: TypeAlias = Callable[[Call, Answer], AdapterError | None]
"""Platform's reading of an answer that is not 2xx; None leaves it to the general rules."""


def retry_after(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """The wait an answer asks for, given in seconds or as an HTTP date; None without one."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return min(timedelta(seconds=int(text)), _MAX_WAIT)
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), _MAX_WAIT)


def stated_time(headers: httpx.Headers) -> datetime | None:
    """The other side's clock as its answer states it; None where it does not."""
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_json(content: bytes) -> tuple[bool, Json]:
    """Whether the content is JSON, and its value; a byte order mark in front is forgiven.

    Null characters are left out: no database column takes them, and nobody means them.
    """
    if b"\\u0000" in content:
        content = _NULL.sub(rb"\1", content)
    try:
        return True, orjson.loads(content.removeprefix(b"\xef\xbb\xbf").strip())
    except orjson.JSONDecodeError:
        return False, None


def failure_of(call: Call, answer: Answer, now: datetime) -> AdapterError:
    """The general rules: what an answer other than 2xx means to the caller."""
    status, wait = answer.status, retry_after(answer.headers, now)
    said = _said(answer, 200)
    match status:
        case 401:
            message = f"The store's web server refused the login (401): {said}"
            return UnauthorizedError(message, code="LoginRefused", status=status)
        case 403 | 406 if not answer.is_json:
            message = (
                f"Something in front of the platform blocked {call.route} with status {status} "
                "(a firewall, a bot check or a security plugin); allow this server's address there"
            )
            return UnavailableError(message, code="Blocked", status=status, retry_after=wait)
        case 403:
            return UnauthorizedError(f"Access was refused (403): {said}", status=status)
        case 404 | 410:
            message = f"{call.route} is unknown there (status {status})"
            return UnexpectedResponseError(message, code="NoSuchRoute", status=status)
        case 429:
            message = "The platform asks for fewer requests (429)"
            return RateLimitedError(message, status=status, retry_after=wait)
        case 408 | 425 | 500 | 501 | 502 | 503 | 504 | 520 | 521 | 522 | 523 | 524 | 525 | 529:
            message = f"The platform answered {call.route} with status {status}"
            return UnavailableError(message, effect=call.effect, status=status, retry_after=wait)
        case _ if 400 <= status < 500:
            message = f"The platform refused {call.route} ({status}): {said}"
            return RejectedError(message, status=status)
        case _:
            message = f"{call.route} was answered with the unexpected status {status}"
            return UnexpectedResponseError(message, effect=call.effect, status=status)


def _said(answer: Answer, length: int | None = None) -> str:
    """The beginning of an answer for people; JSON that broke off may be an order: none of it."""
    text = answer.text if answer.is_json else without_json(answer.text)
    return clean_text(text)[:length]


def _redirected(call: Call, answer: Answer) -> AdapterError:
    """A redirect is not followed: from http to https it turns a POST into a GET."""
    target = answer.headers.get("Location", "")
    try:
        parts = urlsplit(str(httpx.URL(call.url).join(target)) if target else "")
        host = parts.netloc.rpartition("@")[2]
        shown = urlunsplit((parts.scheme, host, parts.path, "", ""))
    except (httpx.InvalidURL, ValueError):
        shown = "what is no address"
    message = (
        f"{call.route} is redirected to {shown or 'nowhere'}; set the channel's address to the "
        "one the platform uses itself (https or http, with or without www)"
    )
    return UnexpectedResponseError(message, code="Redirected", status=answer.status)


class Caller:
    """Sends an adapter's requests: pacing, time limit, sorting of failures, the log."""

    def __init__(
        self,
        transport: Transport,
        read_error: ErrorReader,
        *,
        secrets: frozenset[str] = frozenset(),
        seconds: float = REQUEST_SECONDS,
        summary: Callable[[Json], Json] = lambda body: body,
    ) -> None:
        self._transport = transport
        self._read_error = read_error
        self._secrets = secrets
        self._seconds = seconds
        self._summary = summary

    async def send(self, call: Call) -> Answer:
        """Send one request and give its 2xx JSON answer; everything else is raised."""
        await self._transport.acquire(1.0)
        sent_at = self._transport.now()
        answer: Answer | None = None
        error: AdapterError | None = None
        try:
            answer = await self._exchange(call, sent_at)
            error = self._judge(call, answer)
        except AdapterError as failed:
            error = failed
        if call.is_write:
            await self._record(call, sent_at, answer, error)
        if error is not None:
            if error.retry_after is not None or isinstance(error, RateLimitedError):
                wait = error.retry_after or timedelta(seconds=30)
                await self._transport.learn(BudgetObservation(blocked_for=wait))
            raise error
        assert answer is not None  # noqa: S101 - tells the type checker what the lines above say
        return answer

    async def _exchange(self, call: Call, sent_at: datetime) -> Answer:
        client: httpx.AsyncClient = self._transport.http
        content = None if call.body is None else orjson.dumps(call.body)
        headers = dict(call.headers)
        if content is not None:
            headers["Content-Type"] = "application/json"
        auth = httpx.BasicAuth(*call.auth) if call.auth else None
        try:
            request = client.build_request(
                call.method,
                call.url,
                params={**call.params, **call.secret_params},
                content=content,
                headers=headers,
            )
            async with asyncio.timeout(self._seconds):
                response = await client.send(request, auth=auth, stream=True)
                try:
                    body = await self._read(call, response)
                finally:
                    await response.aclose()
        except AddressRefusedError as refused:
            raise UnavailableError(str(refused), code="AddressRefused") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as failed:
            # Nothing has left: the name is unknown, the port is closed, TLS did not come about.
            message = f"No connection to {httpx.URL(call.url).host}: {_kind(failed)}"
            if "SSL" in message:
                message += ". The address is https; does a certificate answer there at all?"
            raise UnavailableError(message, code="NoConnection") from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as failed:
            raise RejectedError(f"Not an address to send to: {_kind(failed)}") from None
        except (TimeoutError, httpx.TimeoutException):
            message = f"{call.route} was not answered within {self._seconds:g} s"
            raise UnavailableError(message, code="TimedOut", effect=call.effect) from None
        except httpx.HTTPError as failed:
            message = f"The connection was lost during {call.route}: {_kind(failed)}"
            raise UnavailableError(message, code="ConnectionLost", effect=call.effect) from None
        is_json, parsed = parse_json(body)
        # Hidden before anything is cut off: half a secret would not be known for one.
        text = self._hidden(body[:2000].decode("utf-8", "replace"))[:1000]
        return Answer(response.status_code, response.headers, parsed, is_json, text, sent_at)

    async def _read(self, call: Call, response: httpx.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                message = f"The answer to {call.route} is larger than {MAX_BODY_BYTES} bytes"
                raise UnexpectedResponseError(message, effect=call.effect)
            chunks.append(chunk)
        return b"".join(chunks)

    def _judge(self, call: Call, answer: Answer) -> AdapterError | None:
        if 200 <= answer.status < 300:
            if answer.is_json:
                return None
            said = _said(answer, 120)
            message = (
                f"The answer to {call.route} is not JSON but begins with: {said}; a maintenance "
                "page, a cache or a PHP notice printed before the answer does that"
            )
            return UnexpectedResponseError(
                self._hidden(message), code="NotJson", effect=call.effect, status=answer.status
            )
        if 300 <= answer.status < 400:
            return _redirected(call, answer)
        error = self._read_error(call, answer) if answer.is_json else None
        error = error or failure_of(call, answer, self._transport.now())
        error.message = self._hidden(error.message)
        error.args = (error.message,)
        return error

    def _hidden(self, text: str) -> str:
        shown = redact(text, self._secrets)
        return shown if isinstance(shown, str) else ""

    async def _record(
        self, call: Call, sent_at: datetime, answer: Answer | None, error: AdapterError | None
    ) -> None:
        response: Any = None
        if answer is not None:
            response = self._summary(answer.body) if answer.is_json else _said(answer)
        exchange = Exchange(
            at=sent_at,
            method=call.method,
            url=redact_url(str(httpx.URL(call.url, params=dict(call.params))), self._secrets),
            request=redact(call.body, self._secrets),
            status=None if answer is None else answer.status,
            response=redact(response, self._secrets),
            seconds=(self._transport.now() - sent_at).total_seconds(),
            error="" if error is None else self._hidden(f"{error.code}: {error.message}"),
        )
        await self._transport.record(exchange)


def _kind(error: Exception) -> str:
    """Name an httpx error without its text, which may hold an address with its query."""
    cause = error.__cause__
    detail = clean_text(str(error))[:120]
    name = type(error).__name__ if cause is None else type(cause).__name__
    return f"{name} {detail}".strip() if "?" not in detail else name
