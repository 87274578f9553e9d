"""Categories and brands of a store: paths by id, and ids by path, created where they are missing.

Kept by an adapter for as long as it lives, because every product refers to them.
"""

from collections.abc import Sequence

from adapters.http import Json
from adapters.woocommerce import wire
from adapters.woocommerce.canonical import canonical
from adapters.woocommerce.client import PER_PAGE, Client
from adapters.woocommerce.errors import RefusedError
from reconcile.contract import Effect, UnexpectedResponseError

_MAX_PAGES = 100
_MAX_DEPTH = 30

Path = tuple[str, ...]


class Terms:
    """The category tree and the brands of one store."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._categories: dict[int, tuple[str, int]] | None = None
        self._brands: dict[str, int] = {}
        self.paths: dict[int, Path] = {}
        """Category id → path; filled by `load`."""

    async def load(self) -> None:
        """Read all categories again."""
        found: dict[int, tuple[str, int]] = {}
        for number in range(1, _MAX_PAGES + 1):
            params = {
                "per_page": str(PER_PAGE),
                "page": str(number),
                "orderby": "id",
                "order": "asc",
                "_fields": "id,name,parent",
            }
            answer = await self._client.get("/products/categories", params)
            rows = answer.body if isinstance(answer.body, list) else None
            if rows is None:
                raise UnexpectedResponseError("GET /products/categories did not answer with a list")
            for item in rows:
                try:
                    row = wire.row_of(item, "category")
                    found[wire.integer(row, "id")] = (_clean(wire.text(row, "name")), _parent(row))
                except wire.ShapeError as error:
                    message = f"GET /products/categories was answered strangely: {error}"
                    raise UnexpectedResponseError(message) from error
            if len(rows) < PER_PAGE:
                break
        self._categories = found
        self.paths = {term_id: self._path(term_id) for term_id in found}

    def forget(self) -> None:
        """Read everything again when it is needed next: something known turned out not to exist."""
        self._categories = None
        self._brands.clear()

    async def ensure(self, categories: set[int]) -> None:
        """Read the tree if it was not, or if one of these is newer than it.

        One that a plugin filters from the list stays unknown; the field is then left out.
        """
        if self._categories is None or not categories <= self._categories.keys():
            await self.load()

    def missing(self, path: Sequence[str]) -> bool:
        """Whether finding the path would have to create something (after `load`)."""
        return self._find(tuple(path)) is None

    async def category(self, path: Sequence[str]) -> int:
        """Id of the category at that path; levels that are missing are created."""
        if self._categories is None:
            await self.load()
        parent = 0
        for depth in range(1, len(path) + 1):
            level = tuple(path[:depth])
            known = self._find(level)
            if known is None:
                known = await self._create("/products/categories", level[-1], parent)
                (self._categories or {})[known] = (_clean(level[-1]), parent)
                self.paths[known] = level
            parent = known
        return parent

    async def brand(self, name: str) -> int:
        """Id of the brand of that name; created where it is missing."""
        wanted = _clean(name).casefold()
        if wanted not in self._brands:
            params = {"search": name, "per_page": str(PER_PAGE), "_fields": "id,name"}
            answer = await self._client.get("/products/brands", params)
            for item in answer.body if isinstance(answer.body, list) else []:
                if isinstance(item, dict) and isinstance(item.get("id"), int):
                    known = _clean(wire.text(item, "name")).casefold()
                    self._brands.setdefault(known, wire.integer(item, "id"))
        if wanted not in self._brands:
            self._brands[wanted] = await self._create("/products/brands", name, 0)
        return self._brands[wanted]

    async def _create(self, route: str, name: str, parent: int) -> int:
        """Create a term, or adopt the one that was created meanwhile."""
        body: dict[str, Json] = {"name": name}
        if parent:
            body["parent"] = parent
        try:
            answer = await self._client.post(route, body)
        except RefusedError as error:
            if error.code == "term_exists" and error.resource_id is not None:
                return error.resource_id
            raise
        try:
            return wire.integer(wire.row_of(answer.body, "term"), "id")
        except wire.ShapeError as error:
            message = f"POST {route} was answered strangely: {error}"
            raise UnexpectedResponseError(message, effect=Effect.POSSIBLE) from error

    def _find(self, path: Path) -> int | None:
        wanted = tuple(level.casefold() for level in path)
        for term_id, known in self.paths.items():
            if tuple(level.casefold() for level in known) == wanted:
                return term_id
        return None

    def _path(self, term_id: int) -> Path:
        levels: list[str] = []
        known = self._categories or {}
        while term_id in known and len(levels) < _MAX_DEPTH:  # a broken tree may hold a circle
            name, term_id = known[term_id]
            levels.append(name)
        return tuple(reversed(levels))


def _clean(name: str) -> str:
    return str(canonical("brand", name))


def _parent(row: wire.Row) -> int:
    parent = row.get("parent")
    return parent if isinstance(parent, int) else 0
