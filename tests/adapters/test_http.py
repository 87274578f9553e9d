"""Sending and failing: which error, with which effect, and what the log keeps."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http import MAX_BODY_BYTES, Call, Caller, create_client, parse_json, retry_after
from adapters.redaction import HIDDEN, clean_text, redact, redact_url, without_json
from adapters.safe_fetch import AddressRefusedError
from reconcile.contract import (
    AdapterError,
    Effect,
    RateLimitedError,
    RejectedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
)
from tests.adapters.shops import PlainTransport

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "cs_planted_secret"


def read_nothing(_call: Call, _answer: object) -> AdapterError | None:
    """A platform that adds nothing to the general rules."""
    return None


def caller_of(
    answer: Callable[[httpx.Request], Any], *, seconds: float = 5
) -> tuple[Caller, PlainTransport]:
    """A caller whose network is a function."""

    async def handle(request: httpx.Request) -> httpx.Response:
        found = answer(request)
        response: httpx.Response = await found if asyncio.iscoroutine(found) else found
        return response

    transport = PlainTransport(create_client(transport=httpx.MockTransport(handle)))
    caller = Caller(transport, read_nothing, secrets=frozenset({SECRET}), seconds=seconds)
    return caller, transport


def call(*, is_write: bool = False, **changes: Any) -> Call:
    """A read or a write."""
    method = "POST" if is_write else "GET"
    return Call(method, "https://shop.example/api", f"{method} /api", is_write=is_write, **changes)


async def failed(caller: Caller, made: Call) -> AdapterError:
    """The error of a call."""
    with pytest.raises(AdapterError) as raised:
        await caller.send(made)
    return raised.value


STATUSES: list[tuple[int, str, type[AdapterError], bool]] = [
    (401, "<h1>login</h1>", UnauthorizedError, False),
    (403, "<h1>checking your browser</h1>", UnavailableError, False),
    (403, "{}", UnauthorizedError, False),
    (404, "<h1>no page</h1>", UnexpectedResponseError, False),
    (406, "<h1>mod_security</h1>", UnavailableError, False),
    (408, "", UnavailableError, True),
    (413, "{}", RejectedError, False),
    (422, "{}", RejectedError, False),
    (429, "", RateLimitedError, False),
    (500, "", UnavailableError, True),
    (502, "<h1>gateway</h1>", UnavailableError, True),
    (503, "<h1>maintenance</h1>", UnavailableError, True),
    (504, "", UnavailableError, True),
    (302, "", UnexpectedResponseError, False),
    (599, "", UnexpectedResponseError, True),
    (200, "<h1>maintenance</h1>", UnexpectedResponseError, True),
    (200, "", UnexpectedResponseError, True),
    (200, "Notice: undefined index\n[]", UnexpectedResponseError, True),
]


@pytest.mark.parametrize(("status", "body", "expected", "possible"), STATUSES)
@pytest.mark.parametrize("is_write", [False, True])
async def test_answers_become_errors(
    status: int, body: str, expected: type[AdapterError], *, possible: bool, is_write: bool
) -> None:
    """Each kind of answer has its error; only a write that may have been done is POSSIBLE."""
    caller, _ = caller_of(lambda _: httpx.Response(status, text=body))
    error = await failed(caller, call(is_write=is_write))
    assert type(error) is expected
    assert error.status == status
    assert error.effect is (Effect.POSSIBLE if possible and is_write else Effect.NONE)
    assert "<" not in error.message


NETWORK: list[tuple[Exception, bool]] = [
    (httpx.ConnectError("refused"), False),
    (httpx.ConnectTimeout("slow"), False),
    (httpx.PoolTimeout("busy"), False),
    (AddressRefusedError("private"), False),
    (httpx.ReadTimeout("slow"), True),
    (httpx.WriteTimeout("slow"), True),
    (httpx.ReadError("gone"), True),
    (httpx.WriteError("gone"), True),
    (httpx.RemoteProtocolError("cut"), True),
]


@pytest.mark.parametrize(("problem", "possible"), NETWORK)
@pytest.mark.parametrize("is_write", [False, True])
async def test_network_failures(problem: Exception, *, possible: bool, is_write: bool) -> None:
    """No connection means no effect; a connection lost later leaves a write open."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise problem

    caller, transport = caller_of(answer)
    error = await failed(caller, call(is_write=is_write))
    assert type(error) is UnavailableError
    assert error.effect is (Effect.POSSIBLE if possible and is_write else Effect.NONE)
    assert len(transport.records) == is_write


async def test_whole_exchange_has_a_limit() -> None:
    """A server that drips its answer is given up on after the call's seconds."""

    async def drip() -> Any:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    caller, _ = caller_of(lambda _: httpx.Response(200, content=drip()), seconds=0.05)
    error = await failed(caller, call(is_write=True))
    assert (error.code, error.effect) == ("TimedOut", Effect.POSSIBLE)


async def test_endless_answers_are_cut_off() -> None:
    """An answer larger than any API gives is not read to its end."""

    async def flood() -> Any:
        while True:
            yield b" " * (MAX_BODY_BYTES // 8)

    caller, _ = caller_of(lambda _: httpx.Response(200, content=flood()))
    assert type(await failed(caller, call())) is UnexpectedResponseError


async def test_redirects_are_not_followed() -> None:
    """A redirect says which address to set, without the query, and nothing is sent there."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(301, headers={"Location": "https://www.shop.example/api?key=1"})

    caller, _ = caller_of(answer)
    error = await failed(caller, call(is_write=True))
    assert (error.code, error.effect) == ("Redirected", Effect.NONE)
    assert "https://www.shop.example/api;" in error.message
    assert len(seen) == 1


@pytest.mark.parametrize("target", ["https://[bad", "https://host:port/", "https://x/\x7f"])
async def test_redirect_to_nonsense_is_an_error_like_others(target: str) -> None:
    """A Location that is no address still ends in an error of the contract."""
    caller, _ = caller_of(lambda _: httpx.Response(302, headers={"Location": target}))
    error = await failed(caller, call(is_write=True))
    assert error.code in ("Redirected", "ConnectionLost")


async def test_redirect_hides_a_login_in_its_address() -> None:
    """User name and password of a Location are not shown."""
    target = "https://me:planted@shop.example/x"
    caller, _ = caller_of(lambda _: httpx.Response(302, headers={"Location": target}))
    assert "planted" not in (await failed(caller, call())).message


async def test_address_that_cannot_be_sent_is_rejected() -> None:
    """An address longer than any server takes is refused, not a crash."""
    caller, _ = caller_of(lambda _: httpx.Response(200, json={}))
    error = await failed(caller, call(params={"sku": "x" * 70_000}))
    assert type(error) is RejectedError


@pytest.mark.parametrize("before", [110, 190, 195, 985, 995])
async def test_cut_texts_hold_no_part_of_a_secret(before: int) -> None:
    """A page that repeats a secret where it is cut off shows no half of it."""
    page = "<p>" + "x" * before + SECRET + "</p>"
    for status in (200, 500, 418):
        caller, transport = caller_of(lambda _, s=status: httpx.Response(s, text=page))  # type: ignore[misc]
        error = await failed(caller, call(is_write=True))
        assert "cs_p" not in f"{error.message} {transport.records}"


@given(st.recursive(st.text("a\x00\\u0", max_size=12), lambda inner: st.lists(inner, max_size=3)))
def test_null_characters_are_left_out(value: Any) -> None:
    """Texts come without null characters, which no database column takes, and else unchanged."""

    def without(found: Any) -> Any:
        if isinstance(found, list):
            return [without(item) for item in found]
        return found.replace("\x00", "")

    assert parse_json(json.dumps(value).encode()) == (True, without(value))


async def test_byte_order_mark_is_forgiven() -> None:
    """JSON behind a byte order mark and blanks is read."""
    caller, _ = caller_of(lambda _: httpx.Response(200, content=b'\xef\xbb\xbf \n{"a": [1]}\n'))
    assert (await caller.send(call())).body == {"a": [1]}


async def test_waits_are_learnt() -> None:
    """Retry-After reaches the error and the budget; a 429 without one blocks for a while."""
    headers = {"Retry-After": "12"}
    caller, transport = caller_of(lambda _: httpx.Response(503, headers=headers))
    error = await failed(caller, call())
    assert error.retry_after == timedelta(seconds=12)
    assert transport.learned[-1].blocked_for == timedelta(seconds=12)
    caller, transport = caller_of(lambda _: httpx.Response(429))
    assert (await failed(caller, call())).retry_after is None
    blocked = transport.learned[-1].blocked_for
    assert blocked is not None
    assert blocked > timedelta(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("120", 120),
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("999999999", 86_400),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(text: str, expected: int | None) -> None:
    """Seconds and HTTP dates are read, junk is no statement, a day is the most."""
    found = retry_after(httpx.Headers({"Retry-After": text}), NOW)
    assert found == (None if expected is None else timedelta(seconds=expected))


@given(st.text() | st.binary())
def test_retry_after_never_fails(text: str | bytes) -> None:
    """No header value breaks the reading."""
    shown = text if isinstance(text, str) else text.decode("latin-1")
    found = retry_after(httpx.Headers([(b"retry-after", shown.encode("utf-8"))]), NOW)
    assert found is None or timedelta(0) <= found <= timedelta(days=1)


@given(st.binary())
def test_parse_json_never_fails(content: bytes) -> None:
    """Any bytes are either JSON or not."""
    is_json, value = parse_json(content)
    assert is_json or value is None


async def test_log_keeps_writes_without_secrets() -> None:
    """A write is recorded with its answer; secrets and personal data are blanked, reads are not."""
    caller, transport = caller_of(
        lambda _: httpx.Response(200, json={"id": 1, "price": 1.5, "echo": f"got {SECRET}"})
    )
    await caller.send(call())
    body: Any = {"name": "Mug", "billing": {"email": "a@b.example"}, "note": SECRET}
    made = call(
        is_write=True,
        body=body,
        params={"page": "1", "consumer_key": "ck"},
        secret_params={"consumer_secret": SECRET},
        auth=("key", SECRET),
    )
    await caller.send(made)
    (record,) = transport.records
    assert (record.method, record.status, record.error) == ("POST", 200, "")
    assert record.request == {"name": "Mug", "billing": HIDDEN, "note": HIDDEN}
    assert record.response == {"id": 1, "price": "1.5", "echo": f"got {HIDDEN}"}
    assert "page=1" in record.url
    assert SECRET not in repr(record)
    assert SECRET not in repr(made)


def test_redaction() -> None:
    """Names decide what is hidden, floats become text, long values are cut."""
    value = {
        "Authorization": "Basic x",
        "access_token": "t",
        "shipping_class": "heavy",
        "shipping": {"city": "X"},
        "first_name": "",
        "rows": [1.5] * 300,
        "text": "x" * 5000,
    }
    found = redact(value)
    assert isinstance(found, dict)
    assert found["Authorization"] == found["access_token"] == found["shipping"] == HIDDEN
    assert found["shipping_class"] == "heavy"
    assert found["first_name"] == ""
    rows, text = found["rows"], found["text"]
    assert isinstance(rows, list)
    assert (rows[0], rows[-1], len(rows)) == ("1.5", "[100 more]", 201)
    assert isinstance(text, str)
    assert len(text) < 2100
    shown = redact_url("https://u:p@shop.example/a?oauth_signature=s&consumer_key=k&page=2")
    assert shown == f"https://shop.example/a?oauth_signature={HIDDEN}&consumer_key={HIDDEN}&page=2"
    assert clean_text("<style>a{}</style><p>One\x00\n two</p>") == "One two"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<h1>Maintenance</h1>", "<h1>Maintenance</h1>"),
        ('{"billing": {"city": "Bern"', "[broken JSON left out]"),
        ('[{"billing": {"city": "Bern"', "[broken JSON left out]"),
        ('Notice: x {"city": "Bern"', "Notice: x  [broken JSON left out]"),
        ("", ""),
    ],
)
def test_broken_json_is_not_quoted(text: str, kept: str) -> None:
    """A page is quoted to whoever looks for what is wrong, an answer that broke off is not."""
    assert without_json(text) == kept
