"""Categories, tags, brands, global attributes and their terms."""

from types import MappingProxyType

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import media
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import GlobalAttribute, Term
from adapters.woocommerce.sandbox.paging import Order, Page, cut
from adapters.woocommerce.sandbox.schemas import Args
from adapters.woocommerce.sandbox.stock import Body, truth
from adapters.woocommerce.sandbox.store import BRAND, CATEGORY, TAG, UNCATEGORIZED, Store
from adapters.woocommerce.sandbox.text import collated, php_text, slug
from adapters.woocommerce.sandbox.views import API, Row, links
from adapters.woocommerce.sandbox.writing import text_of

_FIELDS = {CATEGORY: "category_ids", TAG: "tag_ids", BRAND: "brand_ids"}


class Terms:
    """The terms of one taxonomy, under the path of its routes."""

    args: Args = MappingProxyType({})  # a batch of terms fills in no defaults

    def __init__(self, store: Store, taxonomy: str, path: str) -> None:
        self._store = store
        self._taxonomy = taxonomy
        self._path = path
        self._tree = taxonomy in (CATEGORY, BRAND)

    def page(self, params: Body) -> Page[Term]:
        """Return a page of the terms."""
        rows = self._store.terms_of(self._taxonomy)
        for name in ("include", "exclude"):
            ids = params.get(name)
            if isinstance(ids, list) and ids:
                rows = [term for term in rows if (term.id in ids) == (name == "include")]
        if params.get("search"):
            part = collated(php_text(params["search"]))
            rows = [term for term in rows if part in collated(term.name)]
        if params.get("parent") is not None:
            rows = [term for term in rows if term.parent == params["parent"]]
        if params.get("slug"):
            rows = [term for term in rows if term.slug == params["slug"]]
        if params.get("hide_empty") is True:
            rows = [term for term in rows if self._count(term)]
        return cut(rows, params, _ORDER)

    def get(self, term_id: int, base: str) -> Row:
        """Show one term."""
        return self.shown(self._found(term_id), base)

    def create(self, body: Body, base: str) -> Row:
        """Create a term; one of that name under the same parent is refused."""
        name = text_of(body.get("name"))
        if not name:
            words = "A name is required for this term."
            raise ApiError("empty_term_name", words, 400)
        parent = id_of(body.get("parent")) if self._tree else 0
        if parent and parent not in self._store.terms:
            words = "Parent term does not exist."
            raise ApiError("woocommerce_rest_term_invalid", words, 404)
        existing = self._store.find_term(self._taxonomy, name, parent)
        if existing is not None:
            where = "with this parent" if self._tree else "in this taxonomy"
            words = f"A term with the name provided already exists {where}."
            raise ApiError("term_exists", words, 400, resource_id=existing.id)
        wanted = php_text(body.get("slug"))
        term = self._store.add_term(self._taxonomy, name, parent, wanted)
        self._take(term, body, base)
        return self.shown(term, base)

    def update(self, term_id: int, body: Body, base: str) -> Row:
        """Change what was sent."""
        term = self._found(term_id)
        if body.get("name"):
            term.name = text_of(body["name"])
        if body.get("parent") is not None and self._tree:
            term.parent = id_of(body["parent"])
        self._take(term, body, base)
        return self.shown(term, base)

    def delete(self, term_id: int, base: str, *, force: bool) -> Row:
        """Delete a term for good; there is no trash for terms."""
        term = self._found(term_id)
        if not force:
            words = "Resource does not support trashing."
            raise ApiError("woocommerce_rest_trash_not_supported", words, 501)
        if term.id == UNCATEGORIZED:
            words = "Default product category cannot be deleted."
            raise ApiError("woocommerce_rest_cannot_delete", words, 500)
        row = self.shown(term, base)
        del self._store.terms[term_id]
        return row

    def label(self, term_id: int) -> Json:
        """Return how a batch names the row of a delete that failed."""
        return term_id

    def shown(self, term: Term, base: str) -> Row:
        """Show a term as its routes do."""
        row: Row = {"id": term.id, "name": term.name, "slug": term.slug}
        if self._tree:
            row["parent"] = term.parent
        row["description"] = term.description
        if self._tree:
            row["display"] = term.display
            row["image"] = media.shown(self._store, term.image_id, base)
        if self._taxonomy != TAG:
            row["menu_order"] = term.menu_order
        url = f"{base}{API}{self._path}"
        return {**row, "count": self._count(term), "_links": links(f"{url}/{term.id}", url)}

    def _count(self, term: Term) -> int:
        field = _FIELDS.get(self._taxonomy)
        live = [i for i in self._store.items.values() if i.status == "publish"]
        if field is not None:
            return sum(term.id in getattr(item, field) for item in live)
        return sum(any(term.id in a.term_ids for a in item.attributes) for item in live)

    def _found(self, term_id: int) -> Term:
        term = self._store.terms.get(term_id)
        if term is None or term.taxonomy != self._taxonomy:
            words = "Resource does not exist."
            raise ApiError("woocommerce_rest_term_invalid", words, 404)
        return term

    def _take(self, term: Term, body: Body, base: str) -> None:
        if body.get("description") is not None:
            term.description = text_of(body["description"])
        if body.get("display"):
            term.display = php_text(body["display"])
        if body.get("menu_order") is not None:
            term.menu_order = id_of(body["menu_order"])
        image = body.get("image")
        if isinstance(image, dict) and image:
            code = "woocommerce_product_image_upload_error"
            term.image_id = media.take(self._store, image, base, code).id


def _sort_value(term: Term, by: str) -> int | str:
    return term.id if by == "id" else term.slug if by == "slug" else collated(term.name)


_ORDER: Order[Term] = Order(
    _sort_value, lambda term: term.id, frozenset({"id", "name", "slug", "description", "count"})
)


class Attributes:
    """The global attributes of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, base: str) -> list[Json]:
        """Show every global attribute; the list has no pages."""
        return [self.shown(attribute, base) for attribute in self._store.attributes.values()]

    def get(self, attribute_id: int, base: str) -> Row:
        """Show one global attribute."""
        return self.shown(self.found(attribute_id), base)

    def create(self, body: Body, base: str) -> Row:
        """Create a global attribute; its slug must be free."""
        name = text_of(body.get("name"))
        bare = slug(php_text(body.get("slug")) or name).removeprefix("pa_")
        taken = {attribute.slug for attribute in self._store.attributes.values()}
        if f"pa_{bare}" in taken:
            words = f'Slug "{bare}" is already in use. Change it, please.'
            raise ApiError("woocommerce_rest_cannot_create", words, 400)
        made = GlobalAttribute(self._store.next_id("attribute"), name, f"pa_{bare}")
        self._store.attributes[made.id] = made
        self._take(made, body)
        return self.shown(made, base)

    def update(self, attribute_id: int, body: Body, base: str) -> Row:
        """Change what was sent; the slug stays."""
        attribute = self.found(attribute_id)
        if body.get("name"):
            attribute.name = text_of(body["name"])
        self._take(attribute, body)
        return self.shown(attribute, base)

    def delete(self, attribute_id: int, base: str, *, force: bool) -> Row:
        """Delete a global attribute for good."""
        attribute = self.found(attribute_id)
        if not force:
            words = "Resource does not support trashing."
            raise ApiError("woocommerce_rest_trash_not_supported", words, 501)
        row = self.shown(attribute, base)
        del self._store.attributes[attribute_id]
        return row

    def found(self, attribute_id: int) -> GlobalAttribute:
        """Return a global attribute, or refuse."""
        attribute = self._store.attributes.get(attribute_id)
        if attribute is None:
            words = "Attribute does not exist."
            raise ApiError("woocommerce_rest_taxonomy_invalid", words, 404)
        return attribute

    def shown(self, attribute: GlobalAttribute, base: str) -> Row:
        """Show a global attribute."""
        url = f"{base}{API}/products/attributes"
        return {
            "id": attribute.id,
            "name": attribute.name,
            "slug": attribute.slug,
            "type": attribute.type,
            "order_by": attribute.order_by,
            "has_archives": attribute.has_archives,
            "_links": links(f"{url}/{attribute.id}", url),
        }

    def _take(self, attribute: GlobalAttribute, body: Body) -> None:
        if body.get("order_by"):
            attribute.order_by = php_text(body["order_by"])
        if body.get("has_archives") is not None:
            attribute.has_archives = truth(body["has_archives"])
