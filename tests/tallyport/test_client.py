"""Tests of the API client against canned answers: every fault says what to do."""

from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
import pytest

from tallyport.client import (
    ApiClient,
    FaultError,
    NotAllowedError,
    RefusedError,
    UnreachableError,
)

Handler = Callable[[httpx.Request], httpx.Response]


def _client(handler: Handler) -> ApiClient:
    return ApiClient("http://tally.example", "tp_x", transport=httpx.MockTransport(handler))


def test_data_is_returned_and_the_token_sent() -> None:
    """A query gives its data, asked with the bearer token."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer tp_x"
        return httpx.Response(200, json={"data": {"platforms": []}})

    with _client(answer) as api:
        assert api.query("{ platforms { name } }") == {"platforms": []}


def test_user_errors_of_a_mutation_are_raised_with_their_path() -> None:
    """A refusal carries code, message and path."""
    payload = {"userErrors": [{"code": "INVALID", "message": "no", "path": ["input", "name"]}]}

    with (
        _client(lambda _: httpx.Response(200, json={"data": {"channelConnect": payload}})) as api,
        pytest.raises(RefusedError) as caught,
    ):
        api.mutate("mutation { x }", {})

    (refusal,) = caught.value.refusals
    assert (refusal.code, refusal.message, refusal.path) == ("INVALID", "no", ("input", "name"))


def test_a_refused_token_says_how_to_make_one() -> None:
    """401 names the command that makes a token."""
    with (
        _client(lambda _: httpx.Response(401, json={"error": "no"})) as api,
        pytest.raises(NotAllowedError, match="tallyport token create"),
    ):
        api.query("{ x }")


def test_nothing_there_says_how_to_start() -> None:
    """A refused connection asks whether it is running, and names `tallyport up`."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with _client(refuse) as api, pytest.raises(UnreachableError, match="tallyport up"):
        api.query("{ x }")


def test_an_answer_that_is_no_json_is_not_an_api() -> None:
    """HTML asks whether the address is right."""
    with (
        _client(lambda _: httpx.Response(200, text="<html>")) as api,
        pytest.raises(FaultError, match="Tallyport API"),
    ):
        api.query("{ x }")


def test_a_query_survives_a_connection_lost_on_the_way() -> None:
    """A query is asked again when the server went away in the middle."""
    answers = iter([False, True])

    def answer(request: httpx.Request) -> httpx.Response:
        if not next(answers):
            raise httpx.RemoteProtocolError("gone", request=request)
        return httpx.Response(200, json={"data": {"x": 1}})

    with _client(answer) as api:
        assert api.query("{ x }") == {"x": 1}


def test_connections_are_read_to_their_end() -> None:
    """Pages follow the cursor until there is no next one."""

    def answer(request: httpx.Request) -> httpx.Response:
        after = orjson.loads(request.content)["variables"]["after"]
        page = {
            None: {"nodes": [1, 2], "pageInfo": {"hasNextPage": True, "endCursor": "c"}},
            "c": {"nodes": [3], "pageInfo": {"hasNextPage": False, "endCursor": "d"}},
        }[after]
        return httpx.Response(200, json={"data": {"runs": page}})

    with _client(answer) as api:
        assert list(api.pages("q", {}, ("runs",))) == [1, 2, 3]


def test_a_file_is_streamed_and_its_bytes_told(tmp_path: Path) -> None:
    """An upload carries the file as it is."""
    file = tmp_path / "catalog.csv"
    file.write_bytes(b"sku\nA\n")
    told: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.read() == b"sku\nA\n"
        assert dict(request.url.params) == {"channel": "shop", "name": "catalog.csv"}
        return httpx.Response(202, json={"import": {"id": "x"}})

    with _client(answer) as api:
        result = api.upload(file, {"channel": "shop", "name": "catalog.csv"}, read=told.append)

    assert result == {"import": {"id": "x"}}
    assert told == [6]


def test_a_database_that_starts_is_waited_for() -> None:
    """A query is asked again while the API says that its database is away, in both its forms."""
    away = {"message": "starting", "extensions": {"code": "UNAVAILABLE"}}
    answers = iter(
        [
            httpx.Response(200, json={"data": None, "errors": [away]}),
            httpx.Response(503, json={"error": {"code": "UNAVAILABLE", "message": "starting"}}),
            httpx.Response(200, json={"data": {"x": 1}}),
        ]
    )

    with _client(lambda _: next(answers)) as api:
        assert api.query("{ x }") == {"x": 1}


def test_a_refused_upload_keeps_its_code(tmp_path: Path) -> None:
    """What the API refuses of a file is a refusal with its code, not a fault of the API."""
    file = tmp_path / "catalog.csv"
    file.touch()
    told = {"error": {"code": "EMPTY", "message": "The file is empty."}}

    with (
        _client(lambda _: httpx.Response(400, json=told)) as api,
        pytest.raises(RefusedError) as caught,
    ):
        api.upload(file, {})

    assert [refusal.code for refusal in caught.value.refusals] == ["EMPTY"]


@pytest.mark.parametrize("url", ["nonsense", "ftp://tally.example"])
def test_what_is_no_address_is_told(url: str) -> None:
    """An address without http is named at once instead of being tried."""
    with pytest.raises(UnreachableError, match="looks like http://"):
        ApiClient(url, None)
