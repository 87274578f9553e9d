"""The batch routes: many rows in one request, without checks and without a transaction."""

from typing import Protocol

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError, CrashError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.schemas import Args
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.views import Row

LIMIT = 100


class Collection(Protocol):
    """What a batch can be run over."""

    @property
    def args(self) -> Args:
        """The argument table, for the defaults of a create."""

    def create(self, body: Body, base: str) -> Row:
        """Create one."""

    def update(self, item_id: int, body: Body, base: str) -> Row:
        """Change one."""

    def delete(self, item_id: int, base: str, *, force: bool) -> Row:
        """Delete one."""

    def label(self, item_id: int) -> Json:
        """Name the row of a delete that failed."""


def run(rows: Collection, body: Body, base: str) -> Json:
    """Create, then update, then delete, in the order sent; a refused row does not stop the others.

    A row that kills the request leaves those before it done and those after it undone.
    """
    asked = {verb: _entries(body.get(verb)) for verb in ("create", "update", "delete")}
    if sum(map(len, asked.values())) > LIMIT:
        words = f"Unable to accept more than {LIMIT} items for this request."
        raise ApiError("woocommerce_rest_request_entity_too_large", words, 413)
    created = [_created(rows, entry, base) for entry in asked["create"]]
    updated = [_updated(rows, entry, base) for entry in asked["update"]]
    ids = [id_of(e.get("id")) if isinstance(e, dict) else id_of(e) for e in asked["delete"]]
    deleted = [_deleted(rows, item_id, base) for item_id in ids if item_id]
    answer: dict[str, Json] = {"create": created, "update": updated, "delete": deleted}
    # PHP writes a map without entries as a list.
    return {verb: done for verb, done in answer.items() if done} or []


def _entries(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _row(entry: Json) -> Body:
    if not isinstance(entry, dict):
        raise CrashError
    return entry


def _created(rows: Collection, entry: Json, base: str) -> Json:
    defaults = {name: arg.default for name, arg in rows.args.items() if arg.default is not None}
    try:
        return rows.create({**defaults, **_row(entry)}, base)
    except ApiError as error:
        return {"id": 0, "error": error.content()}


def _updated(rows: Collection, entry: Json, base: str) -> Json:
    body = _row(entry)
    try:
        return rows.update(id_of(body.get("id")), body, base)
    except ApiError as error:
        return {"id": body.get("id"), "error": error.content()}


def _deleted(rows: Collection, item_id: int, base: str) -> Json:
    try:
        return rows.delete(item_id, base, force=True)
    except ApiError as error:
        return {"id": rows.label(item_id), "error": error.content()}
