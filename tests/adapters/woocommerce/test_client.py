"""The client's reading of error bodies, pages and batch answers."""

import json
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from adapters.http import Answer, Call, Json
from adapters.woocommerce.client import Client, Page, ascending, complete, summary
from adapters.woocommerce.errors import RefusedError, is_gone, read_error
from adapters.woocommerce.settings import ChannelSettings, Credentials
from reconcile.contract import (
    AdapterError,
    Effect,
    GoneError,
    RejectedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
)
from tests.adapters.shops import START, PlainTransport, WooShop, everything

pytestmark = pytest.mark.anyio


def error_of(status: int, code: str, *, is_write: bool = True, **body: Any) -> AdapterError | None:
    """What an error body is read as."""
    content: Json = {"code": code, "message": "Said &amp; <b>done</b>.", **body}
    call = Call("POST", "https://shop.example", "POST /products/batch", is_write=is_write)
    answer = Answer(status, httpx.Headers(), content, is_json=True, text="", sent_at=START)
    return read_error(call, answer)


@pytest.mark.parametrize(
    ("status", "code", "expected", "effect"),
    [
        (401, "woocommerce_rest_authentication_error", UnauthorizedError, Effect.NONE),
        (401, "woocommerce_rest_cannot_view", UnauthorizedError, Effect.NONE),
        (403, "woocommerce_rest_cannot_edit", UnauthorizedError, Effect.NONE),
        (404, "rest_no_route", UnexpectedResponseError, Effect.NONE),
        (404, "woocommerce_rest_product_invalid_id", GoneError, Effect.NONE),
        (400, "woocommerce_rest_product_invalid_id", GoneError, Effect.NONE),
        (404, "woocommerce_rest_product_variation_invalid_id", GoneError, Effect.NONE),
        (410, "woocommerce_rest_already_trashed", GoneError, Effect.NONE),
        (400, "product_invalid_sku", RejectedError, Effect.NONE),
        (413, "woocommerce_rest_request_entity_too_large", RejectedError, Effect.NONE),
        (500, "internal_server_error", UnavailableError, Effect.POSSIBLE),
    ],
)
def test_error_bodies(status: int, code: str, expected: type[AdapterError], effect: Effect) -> None:
    """Codes and statuses decide, never the message, which is in the store's language."""
    error = error_of(status, code)
    assert isinstance(error, expected)
    assert (error.status, error.effect) == (status, effect)
    assert "<b>" not in error.message


@pytest.mark.parametrize(("is_write", "effect"), [(True, Effect.POSSIBLE), (False, Effect.NONE)])
def test_a_doubled_request_is_no_refused_key(is_write: bool, effect: Effect) -> None:
    """A used nonce says that the first copy arrived; it may have done its work."""
    error = error_of(
        401,
        "woocommerce_rest_authentication_error",
        is_write=is_write,
        message="Invalid nonce - nonce has already been used.",
    )
    assert isinstance(error, UnavailableError)
    assert (error.code, error.effect) == ("Doubled", effect)


@pytest.mark.parametrize(
    ("date", "params", "expected"),
    [
        (START + timedelta(minutes=20), {"oauth_timestamp": "1"}, UnavailableError),
        (START - timedelta(minutes=20), {"oauth_timestamp": "1"}, UnavailableError),
        (START + timedelta(minutes=5), {"oauth_timestamp": "1"}, UnauthorizedError),
        (START + timedelta(minutes=20), {}, UnauthorizedError),
        (None, {"oauth_timestamp": "1"}, UnauthorizedError),
    ],
)
def test_a_wrong_clock_is_no_refused_key(
    date: datetime | None, params: dict[str, str], expected: type[AdapterError]
) -> None:
    """Signatures hold for 15 minutes: where the clocks differ by more, nothing is paused."""
    call = Call("GET", "http://shop.example", "GET /orders", secret_params=params)
    headers = {} if date is None else {"Date": format_datetime(date, usegmt=True)}
    content: Json = {"code": "woocommerce_rest_authentication_error", "message": "No."}
    answer = Answer(401, httpx.Headers(headers), content, is_json=True, text="", sent_at=START)

    error = read_error(call, answer)

    assert type(error) is expected
    assert error.effect is Effect.NONE
    assert (error.code == "ClockDiffers") is (expected is UnavailableError)


def test_error_details() -> None:
    """The object in the way and the parameters at fault are kept."""
    error = error_of(400, "term_exists", data={"status": 400, "resource_id": 18})
    assert isinstance(error, RefusedError)
    assert error.resource_id == 18
    error = error_of(400, "rest_invalid_param", data={"params": {"per_page": "must be 100"}})
    assert error is not None
    assert "must be 100" in error.message
    # A refund's error carries a number where others carry an object.
    assert error_of(500, "woocommerce_rest_cannot_create_order_refund", data=500) is not None


@pytest.mark.parametrize("body", [None, [], "text", {"message": "no code"}, {"code": 7}])
def test_other_bodies_are_left_to_the_general_rules(body: Any) -> None:
    """What is no error body of WordPress is not interpreted."""
    call = Call("GET", "https://shop.example", "GET /products")
    answer = Answer(400, httpx.Headers(), body, is_json=True, text="", sent_at=START)
    assert read_error(call, answer) is None


def test_only_ids_make_gone() -> None:
    """A 404 of a route, of a page or with an unknown code is no proof of absence."""
    assert not is_gone("rest_no_route", 404)
    assert not is_gone("woocommerce_rest_term_invalid", 404)
    assert not is_gone("woocommerce_rest_product_invalid_id", 500)


@pytest.mark.parametrize(
    "answer",
    [[], {}, {"update": []}, {"update": [{"id": 1}]}, {"create": [{"id": 1}, {"id": 2}]}, "ok"],
)
async def test_batch_answers_must_fit(answer: Any) -> None:
    """A batch answer with other rows than were sent leaves the outcome open."""

    def give(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=json.dumps(answer))

    transport = PlainTransport(httpx.AsyncClient(transport=httpx.MockTransport(give)))
    client = Client(Credentials("shop.example", "ck", "cs"), ChannelSettings(), transport)
    with pytest.raises(UnexpectedResponseError) as raised:
        await client.batch("/products", "update", [{"id": 1}, {"id": 2}])
    assert raised.value.effect is Effect.POSSIBLE


def page(count: int, total: int) -> Page[int]:
    """A page of that many rows."""
    return Page((), (), tuple(range(count)), total, 1, START)


def test_pages_must_hold_what_they_promise() -> None:
    """More than one percent of the total missing from a page is a cut page."""
    complete(page(100, 1000), 1)
    complete(page(90, 1000), 1)
    complete(page(0, 0), 1)
    complete(page(0, 300), 4)
    for number, cut in ((1, page(89, 1000)), (1, page(1, 3)), (3, page(47, 250))):
        with pytest.raises(UnexpectedResponseError):
            complete(cut, number)


def test_ids_must_rise() -> None:
    """Ids that repeat or fall back are refused; the last one is handed on."""
    assert ascending([1, 5, 9], 0) == 9
    assert ascending([], 7) == 7
    for ids, last in (([1, 1], 0), ([2, 1], 0), ([3], 3)):
        with pytest.raises(UnexpectedResponseError):
            ascending(ids, last)


def test_log_keeps_what_tells() -> None:
    """Of an answered row the log keeps what happened, not the whole product."""
    row: Any = {"id": 1, "sku": "M", "description": "long", "error": {"code": "x"}}
    assert summary({"update": [row]}) == {"update": [{"id": 1, "sku": "M", "error": {"code": "x"}}]}
    assert summary({"code": "x", "message": "y", "junk": 1}) == {"code": "x", "message": "y"}


async def test_reads_go_past_caches() -> None:
    """Reads ask caches on the way not to answer from memory."""
    shop = WooShop.open()
    seen: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request)

    shop.transport.http.event_hooks["request"].append(note)
    await everything(shop.adapter())
    assert [request.headers["Cache-Control"] for request in seen] == ["no-cache"]
