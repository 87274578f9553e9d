"""The simulated store as an ASGI app: its routes, how a request is read and answered."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as HttpRoute

from adapters.sandbox import Clock, Front, Json, Sandbox
from adapters.woocommerce.sandbox import media, site
from adapters.woocommerce.sandbox.auth import Gate, refuse_nobody
from adapters.woocommerce.sandbox.catalog import catalog_routes
from adapters.woocommerce.sandbox.errors import ApiError, CrashError, no_route
from adapters.woocommerce.sandbox.fields import checked
from adapters.woocommerce.sandbox.fulfillments import fulfillment_routes
from adapters.woocommerce.sandbox.options import Key, SandboxOptions
from adapters.woocommerce.sandbox.order_routes import order_routes
from adapters.woocommerce.sandbox.routing import (
    Answer,
    Call,
    Route,
    parse_pairs,
    php_params,
    selected,
)
from adapters.woocommerce.sandbox.shopkeeper import Shopkeeper
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.trackings import tracking_routes

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_NOT_FOUND = "<!DOCTYPE html><html><head><title>Page not found</title></head><body></body></html>"
Body = dict[str, Json]


def create_sandbox(
    options: SandboxOptions | None = None, *, image_hosts: frozenset[str] = frozenset()
) -> Sandbox:
    """Make a simulated store; who serves it fills the `domain` of the credentials.

    `image_hosts` are further hosts whose pictures it can fetch: nothing is really fetched.
    """
    chosen = options if options is not None else SandboxOptions()
    chosen = replace(chosen, image_hosts=chosen.image_hosts | image_hosts)
    clock = Clock()
    store = Store(chosen, clock)
    keeper = Shopkeeper(store)
    keeper.stock_up(_copies(chosen.products), _copies(chosen.orders))
    shop = Shop(store, clock)
    app = Starlette(routes=[HttpRoute("/{path:path}", shop.answer, methods=_METHODS)])
    front = Front(app, books=store.books, clock=clock, shop=keeper, limit=chosen.rate_limit)
    keys = [_credentials(key) for key in chosen.keys]
    names = ("read_only", "write_only")
    others = dict(zip(names, keys[1:], strict=False))
    return Sandbox(front, keys[0], others, store.books, clock, keeper)


def _copies(rows: Sequence[Mapping[str, Json]]) -> list[Body]:
    return [dict(orjson.loads(orjson.dumps(dict(row)))) for row in rows]


def _credentials(key: Key) -> dict[str, str]:
    return {"consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret}


class Shop:
    """Answers HTTP requests to the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._gate = Gate(store.options, clock)
        self._always = [*catalog_routes(store), *order_routes(store)]
        self._switched = {
            "fulfillments": fulfillment_routes(store),
            "shipment_tracking": tracking_routes(store),
        }

    @property
    def _routes(self) -> list[Route]:
        on = (routes for name, routes in self._switched.items() if name in self._store.features)
        return [*self._always, *chain.from_iterable(on)]

    async def answer(self, request: Request) -> Response:
        """Answer any request: the API, a picture, or the page that is not there."""
        path = re.sub(r"/+", "/", request.url.path)
        query = php_params(parse_pairs(request.url.query))
        route_param = query.get("rest_route")
        if isinstance(route_param, str):
            # WooCommerce reads keys only on addresses that contain /wp-json/wc.
            return await self._rest(request, route_param, query, keyed=False)
        if path == "/wp-json" or path.startswith("/wp-json/"):
            return await self._rest(request, path.removeprefix("/wp-json"), query, keyed=True)
        if media.is_served(self._store, path):
            return Response(media.PIXEL, media_type="image/png")
        return HTMLResponse(_NOT_FOUND, 404)

    async def _rest(self, request: Request, path: str, query: Body, *, keyed: bool) -> Response:
        raw = await request.body()
        path = path.rstrip("/")
        base = f"{request.url.scheme}://{request.url.netloc}"
        method = str(query.get("_method") or request.headers.get("x-http-method-override") or "")
        method = (method or request.method).upper()
        route: Route | None = None
        try:
            key = self._key(request, path) if keyed else None
            route, ids = self._route(path)
            answer = self._handled(
                Call(method, base, path, {}, query, ids, key), route, _body_of(request, raw)
            )
        except ApiError as error:
            answer = Answer(error.content(), error.status)
        except CrashError as error:
            answer = Answer(error.content(), 500)
        if query.get("_fields") and answer.status < 400:
            answer.content = selected(answer.content, query["_fields"], flat=answer.flat)
        return _response(answer, query, base, _allow(answer, route, path))

    def _key(self, request: Request, path: str) -> Key | None:
        if not path.startswith("/wc"):
            return None
        url = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
        header = request.headers.get("authorization", "")
        pairs = parse_pairs(request.url.query)
        return self._gate.key_of(request.method, url, pairs, header)

    def _route(self, path: str) -> tuple[Route | None, dict[str, int]]:
        for route in self._routes:
            ids = route.ids(path)
            if ids is not None:
                return route, ids
        return None, {}

    def _handled(self, call: Call, route: Route | None, body: "_Body") -> Answer:
        if route is None:
            return self._elsewhere(call)
        if call.method == "OPTIONS":
            return Answer(site.described(route, call.base))
        method = "GET" if call.method == "HEAD" else call.method
        endpoint = next((e for e in route.endpoints if method in e.methods), None)
        if endpoint is None:
            raise no_route()
        if body.broken is not None:
            raise body.broken
        call.params = {**call.query, **body.fields}
        if endpoint.checked:
            call.params = checked(call.params, endpoint.args, defaults=endpoint.defaults)
        for name in call.query.keys() & call.params.keys() - body.fields.keys():
            call.query[name] = call.params[name]
        if call.key is None:
            raise refuse_nobody(endpoint.action)
        return endpoint.handler(call)

    def _elsewhere(self, call: Call) -> Answer:
        if call.path == "" and call.method in ("GET", "HEAD"):
            return site.index(self._store, self._routes, call.base, None)
        namespace = call.path.removeprefix("/")
        if namespace in site.namespaces(self._routes) and call.method in ("GET", "HEAD"):
            return site.index(self._store, self._routes, call.base, namespace)
        if call.path == "/batch/v1" and call.method == "POST":
            words = "The requested route does not support batch requests."
            refused: Json = ApiError("rest_batch_not_allowed", words, 400).content()
            rows: list[Json] = [{"body": refused, "status": 400, "headers": []}]
            return Answer({"responses": rows}, 207)
        raise no_route()


class _Body:
    """The parameters of a request's body, or why it cannot be read."""

    def __init__(self, fields: Body, broken: ApiError | None = None) -> None:
        self.fields = fields
        self.broken = broken


def _body_of(request: Request, raw: bytes) -> _Body:
    """Read a JSON or form body; one of any other kind is ignored, as WordPress does."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _Body(php_params(parse_pairs(raw.decode(errors="replace"))))
    if kind != "application/json" or not raw.strip():
        return _Body({})
    try:
        content: Json = json.loads(raw)  # like PHP, and unlike orjson, it takes any integer
    except ValueError:
        words = "Invalid JSON body passed."
        data: Body = {"json_error_code": 4, "json_error_message": "Syntax error"}
        return _Body({}, ApiError("rest_invalid_json", words, 400, **data))
    return _Body(content if isinstance(content, dict) else {})


def _allow(answer: Answer, route: Route | None, path: str) -> str:
    """Say which methods the key may use here; nothing where the answer came before that."""
    code = answer.content.get("code", "") if isinstance(answer.content, dict) else ""
    unasked = ("rest_no_route", "internal_server_error", "woocommerce_rest_cannot_view")
    if not answer.asked:
        return ""
    if answer.status >= 400 and (
        code in (*unasked, "woocommerce_rest_product_variation_invalid_id") or answer.status == 401
    ):
        return ""
    if route is None:
        return "POST" if path == "/batch/v1" else "GET"
    return ", ".join(dict.fromkeys(route.methods))


def _response(answer: Answer, query: Body, base: str, allow: str) -> Response:
    home = {"Link": f'<{base}/wp-json/>; rel="https://api.w.org/"'}
    headers = {**home, **answer.headers}
    if allow:
        headers["Allow"] = allow
    content, status = answer.content, answer.status
    if "_envelope" in query:
        shown: Body = {k: int(v) if v.isdigit() else v for k, v in headers.items()}
        content, status = {"body": content, "status": status, "headers": shown}, 200
        headers = home
    headers["Content-Type"] = "application/json; charset=UTF-8"
    return Response(json.dumps(content).encode(), status, headers)
