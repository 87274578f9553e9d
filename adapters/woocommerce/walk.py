"""Reads a store: the resumable walk through all products, and objects by id.

Paged by id, the only order in which the store repeats and drops nothing. Must not write.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.woocommerce import mapping, wire
from adapters.woocommerce.client import PER_PAGE, SELLING_FIELDS, Client, Page, ascending, complete
from adapters.woocommerce.terms import Terms
from reconcile.contract import (
    Gone,
    GoneError,
    ListingPage,
    ReadResult,
    UnexpectedResponseError,
)
from reconcile.core.types import NO_FIELDS, RemoteListing, RemoteRef, Value

IN_TRASH = Gone(
    "InTrash",
    "The product is in the store's trash; restore it there, or empty the trash to publish it anew",
)
DELETED = Gone("Deleted", "The product was deleted on the store")
RESTRUCTURED = Gone(
    "Deleted",
    "The product is of another type now (simple or variable), so what was linked is not sold any "
    "more; link again",
)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a walk goes on: variable products whose variations are still to read, then a page."""

    page: int = 1
    last_id: int = 0
    pending: tuple[int, ...] = ()
    is_end: bool = False
    total: int | None = None

    @staticmethod
    def parse(value: Mapping[str, Value] | None) -> "_Cursor":
        if not value:
            return _Cursor()
        page, last, pending = value.get("page"), value.get("last_id"), value.get("pending")
        total = value.get("total")
        if not isinstance(page, int) or not isinstance(last, int) or not isinstance(pending, list):
            raise UnexpectedResponseError("the stored position of the walk cannot be read")
        return _Cursor(
            page,
            last,
            tuple(item for item in pending if isinstance(item, int)),
            value.get("is_end") is True,
            total if isinstance(total, int) else None,
        )

    def as_json(self) -> dict[str, Value]:
        return {
            "page": self.page,
            "last_id": self.last_id,
            "pending": list(self.pending),
            "is_end": self.is_end,
            "total": self.total,
        }


class Reader:
    """Reads products of one store into mirror values."""

    def __init__(self, client: Client, terms: Terms, view: mapping.StoreView) -> None:
        self._client = client
        self._terms = terms
        self._view = view

    def view(self) -> mapping.StoreView:
        """The store's view with the category paths known so far."""
        view = self._view
        return mapping.StoreView(
            view.currency, view.weight_unit, view.dimension_unit, self._terms.paths
        )

    async def know_categories(self, products: Sequence[wire.Product]) -> None:
        """Have the paths of these products' categories; costs nothing where they are known."""
        unknown = {
            term.id
            for product in products
            if mapping.needs_paths(product, self._terms.paths)
            for term in product.categories
            if not mapping.is_default_category(term.slug)
        }
        if unknown:
            await self._terms.ensure(unknown)

    async def walk(
        self, cursor: Mapping[str, Value] | None, *, with_content: bool = True
    ) -> AsyncIterator[ListingPage]:
        """All products in id order; a page of products, then each variable product by itself.

        Without content the category tree is not asked for.
        """
        async for page in self._walk(cursor, with_content=with_content):
            yield page if with_content else replace(page, rows=tuple(map(_bare, page.rows)))

    async def _walk(
        self, cursor: Mapping[str, Value] | None, *, with_content: bool
    ) -> AsyncIterator[ListingPage]:
        at = _Cursor.parse(cursor)
        parents: dict[int, wire.Product] = {}
        # A variable product is as old as its own row, whenever its variations are read: an older
        # observation never replaces a newer one.
        sent_at = self._client.now()
        while at.pending or not at.is_end:
            if at.pending and at.pending[0] not in parents:
                sent_at = self._client.now()
                found = await self._by_ids(at.pending, with_content=with_content)
                parents = {product.id: product for product in found}
            if at.pending:
                first, rest = at.pending[0], at.pending[1:]
                at = _Cursor(at.page, at.last_id, rest, at.is_end, at.total)
                parent = parents.pop(first, None)
                yield await self._variable_page(parent, at, sent_at, with_content=with_content)
                continue
            fields = "" if with_content else SELLING_FIELDS
            page = await self._client.products({"page": str(at.page)}, fields=fields)
            sent_at = page.sent_at
            last = ascending(page.ids, at.last_id)
            complete(page, at.page)
            if with_content:
                await self.know_categories(page.rows)
            parents = {product.id: product for product in page.rows if product.is_variable}
            at = _Cursor(at.page + 1, last, tuple(parents), at.page >= page.pages, page.total)
            yield self._product_page(page, at)

    def _product_page(self, page: Page[wire.Product], at: _Cursor) -> ListingPage:
        view = self.view()
        ready = [product for product in page.rows if not product.is_variable]
        return ListingPage(
            rows=tuple(mapping.listing(product, (), view) for product in ready),
            cursor=at.as_json(),
            is_last=at.is_end and not at.pending,
            total=page.total,
            observed_at=page.sent_at,
            rejected=page.rejected,
        )

    async def _variable_page(
        self,
        product: wire.Product | None,
        at: _Cursor,
        observed_at: datetime,
        *,
        with_content: bool,
    ) -> ListingPage:
        rows: tuple[RemoteListing, ...] = ()
        rejected: tuple[str, ...] = ()
        if product is not None:  # None: deleted since its page was read
            variations, unread = await self._variations(product, with_content=with_content)
            if unread:
                rejected = (str(product.id),)
            else:
                rows = (mapping.listing(product, variations, self.view()),)
        return ListingPage(
            rows=rows,
            cursor=at.as_json(),
            is_last=at.is_end and not at.pending,
            total=at.total,
            observed_at=observed_at,
            rejected=rejected,
        )

    async def _variations(
        self, product: wire.Product, *, with_content: bool
    ) -> tuple[list[wire.Variation], tuple[str, ...]]:
        if not product.variation_ids:
            return [], ()
        return await self._client.variations(product.id, with_content=with_content)

    async def _by_ids(self, ids: Sequence[int], *, with_content: bool = True) -> list[wire.Product]:
        found: list[wire.Product] = []
        for start in range(0, len(ids), PER_PAGE):
            asked = ids[start : start + PER_PAGE]
            params = {"include": ",".join(map(str, asked))}
            fields = "" if with_content else SELLING_FIELDS
            page = await self._client.products(params, fields=fields)
            found.extend(product for product in page.rows if product.id in asked)
        if with_content:
            await self.know_categories(found)
        return found

    async def read(
        self, refs: Sequence[RemoteRef], *, with_content: bool = True
    ) -> dict[RemoteRef, ReadResult]:
        """Each object by id; what no list shows is asked for singly before it counts as gone."""
        results = await self._read(refs, with_content=with_content)
        if with_content:
            return results
        return {
            ref: result if isinstance(result, Gone) else _bare(result)
            for ref, result in results.items()
        }

    async def _read(
        self, refs: Sequence[RemoteRef], *, with_content: bool
    ) -> dict[RemoteRef, ReadResult]:
        products: dict[int, wire.Product | Gone] = {}
        ids = sorted({number(ref.listing) for ref in refs})
        for found in await self._by_ids(ids, with_content=with_content):
            products[found.id] = found
        for product_id in ids:
            if product_id not in products:
                products[product_id] = await self._prove_product(
                    product_id, with_content=with_content
                )
        variations: dict[int, list[wire.Variation]] = {}
        results: dict[RemoteRef, ReadResult] = {}
        for ref in refs:
            product = products[number(ref.listing)]
            if isinstance(product, Gone):
                results[ref] = product
                continue
            if product.is_variable and product.id not in variations:
                # Also where the product names none: it does not name those that are drafts.
                variations[product.id], unread = await self._client.variations(
                    product.id, with_content=with_content
                )
                if unread:
                    message = f"variation {unread[0]} of product {product.id} cannot be understood"
                    raise UnexpectedResponseError(message)
            listed = variations.get(product.id, [])
            results[ref] = await self._read_one(ref, product, listed)
        return results

    async def _read_one(
        self, ref: RemoteRef, product: wire.Product, listed: Sequence[wire.Variation]
    ) -> ReadResult:
        if product.is_variable == (ref.variant is None):
            # A product that stopped being variable loses its variations for good.
            return RESTRUCTURED
        if ref.variant is not None and number(ref.variant) not in {item.id for item in listed}:
            return await self._prove_variation(product.id, number(ref.variant))
        return mapping.listing(product, listed, self.view())

    async def _prove_product(self, product_id: int, *, with_content: bool) -> wire.Product | Gone:
        try:
            product = await self._client.product(product_id)
        except GoneError:
            return DELETED
        if product.status == "trash":
            return IN_TRASH
        if with_content:
            await self.know_categories([product])
        return product

    async def _prove_variation(self, product_id: int, variation_id: int) -> Gone:
        try:
            variation = await self._client.variation(product_id, variation_id)
        except GoneError:
            return Gone("Deleted", "The variation was deleted on the store")
        if variation.status == "trash":
            return Gone("InTrash", "The variation is in the store's trash")
        message = f"variation {variation_id} is there, but the list of its product leaves it out"
        raise UnexpectedResponseError(message)


def _bare(row: RemoteListing) -> RemoteListing:
    """The product without what was not read: its content says nothing."""
    variants = tuple(
        replace(variant, content=NO_FIELDS, import_fields=NO_FIELDS) for variant in row.variants
    )
    return replace(
        row,
        variants=variants,
        content=NO_FIELDS,
        import_fields=NO_FIELDS,
        aspects={name: value for name, value in row.aspects.items() if name != "images"},
        has_content=False,
    )


def number(remote_id: str) -> int:
    """Their id as a number; an id that is none cannot be theirs."""
    if not remote_id.isdigit():
        raise UnexpectedResponseError(f"{remote_id[:40]} is not an id of WooCommerce")
    return int(remote_id)
