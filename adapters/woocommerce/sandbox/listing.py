"""Lists of products and variations: which filters keep what.

Order and pages are `paging.py`'s.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.sitetime import SiteTime
from adapters.woocommerce.sandbox.stock import is_on_sale, number, price
from adapters.woocommerce.sandbox.store import BRAND, CATEGORY, TAG, Store
from adapters.woocommerce.sandbox.text import collated, php_text

Params = dict[str, Json]
Test = Callable[[Item], bool]


def products(store: Store, params: Params) -> list[Item]:
    """Return the products a list asks for; the identifier filters find variations too."""
    with_variations = False
    candidates: Iterable[Item] = store.items.values()
    if "sku" in params:
        with_variations, candidates = True, _by_sku(store, php_text(params["sku"]))
    elif "global_unique_id" in params:
        words = php_text(params["global_unique_id"]).split(",")
        with_variations = True
        candidates = [item for word in words for item in store.with_gtin(word.strip())]
    elif params.keys() & {"search_sku", "search_name_or_sku"}:
        with_variations = True
    elif isinstance(ids := params.get("include"), list) and ids:
        candidates = [store.items[i] for i in ids if isinstance(i, int) and i in store.items]
    tests = [*_common_tests(store, params), *_product_tests(store, params)]
    found = {item.id: item for item in candidates if with_variations or not item.is_variation}
    return [item for item in found.values() if all(test(item) for test in tests)]


def variations(store: Store, parent_id: int, params: Params) -> list[Item]:
    """Return the variations of one product that a list asks for; none of a missing product."""
    tests = _common_tests(store, params)
    if "sku" in params:
        wanted = {item.id for item in _by_sku(store, php_text(params["sku"]))}
        tests.append(lambda item: item.id in wanted)
    if params.get("has_price") is not None:
        priced = params["has_price"]
        tests.append(lambda item: (price(store, item) != "") == priced)
    if parent_id not in store.items:
        return []
    return [v for v in store.variations(parent_id) if all(test(v) for test in tests)]


def _by_sku(store: Store, text: str) -> list[Item]:
    """Find by one SKU or several with commas between; one with a comma inside is found as well."""
    words = [text, *(word.strip() for word in text.split(","))]
    found = {item.id: item for word in words if word for item in store.with_sku(word)}
    return [*found.values()]


def date_tests(time: SiteTime, params: Params) -> list[tuple[str, Callable[[datetime], bool]]]:
    """Return the date filters, each with the date it looks at; bounds are exclusive."""
    gmt = params.get("dates_are_gmt") is True
    tests: list[tuple[str, Callable[[datetime], bool]]] = []
    for prefix, field in (("", "created"), ("modified_", "modified")):
        for name in ("after", "before"):
            bound = time.read(php_text(params.get(prefix + name)), gmt=gmt)
            if bound is not None:
                tests.append((field, _beyond(bound, later=name == "after")))
    return tests


def _beyond(bound: datetime, *, later: bool) -> Callable[[datetime], bool]:
    return lambda moment: moment > bound if later else moment < bound


def _listed(params: Params, name: str) -> list[Json]:
    value = params.get(name)
    return value if isinstance(value, list) else []


def _status_test(params: Params) -> Test:
    status = php_text(params.get("status") or "any")
    included = _listed(params, "include_status")
    excluded = _listed(params, "exclude_status")
    wanted = included or [status]
    hidden = ("trash", "auto-draft")

    def test(item: Item) -> bool:
        shown = item.status in wanted or ("any" in wanted and item.status not in hidden)
        return shown and item.status not in excluded

    return test


def _common_tests(store: Store, params: Params) -> list[Test]:
    tests: list[Test] = [_status_test(params)]
    tests += [_dated(field, fits) for field, fits in date_tests(store.time, params)]
    for name, field, wanted in (
        ("include", "id", True),
        ("exclude", "id", False),
        ("parent", "parent_id", True),
        ("parent_exclude", "parent_id", False),
    ):
        if ids := _listed(params, name):
            tests.append(_among(field, ids, wanted=wanted))
    if params.get("search"):
        tests.append(_search(php_text(params["search"])))
    tests += [_equals(n, params[n]) for n in ("slug", "stock_status") if params.get(n)]
    if params.get("on_sale") is not None:
        on_sale = params["on_sale"]
        tests.append(lambda item: is_on_sale(item, store.clock.now()) == on_sale)
    for name in ("virtual", "downloadable"):
        if params.get(name) is not None:
            tests.append(_extra(name, params[name]))
    tests.extend(_price_tests(store, params))
    return tests


def _dated(field: str, fits: Callable[[datetime], bool]) -> Test:
    return lambda item: fits(item.created if field == "created" else item.modified)


def _among(field: str, ids: list[Json], *, wanted: bool) -> Test:
    known = {id_of(entry) for entry in ids}
    return lambda item: (getattr(item, field) in known) is wanted


def _equals(field: str, value: Json) -> Test:
    return lambda item: bool(getattr(item, field) == value)


def _extra(name: str, value: Json) -> Test:
    return lambda item: item.extras.get(name, False) == value


def _search(text: str) -> Test:
    words = [collated(word) for word in text.split()]

    def test(item: Item) -> bool:
        where = collated(f"{item.name} {item.short_description} {item.description}")
        return all(word in where for word in words)

    return test


def _price_tests(store: Store, params: Params) -> list[Test]:
    def cost(item: Item) -> float:
        return number(price(store, item)) or 0.0

    tests: list[Test] = []
    low, high = number(params.get("min_price")), number(params.get("max_price"))
    if low is not None:
        tests.append(lambda item: cost(item) >= low)
    if high is not None:
        tests.append(lambda item: cost(item) <= high)
    return tests


def _product_tests(store: Store, params: Params) -> list[Test]:
    tests: list[Test] = []
    if params.get("type"):
        tests.append(_equals("type", params["type"]))
    if types := _listed(params, "include_types"):
        tests.append(lambda item: item.type in types)
    if unwanted := _listed(params, "exclude_types"):
        tests.append(lambda item: item.type not in unwanted)
    if params.get("featured") is not None:
        tests.append(_equals("featured", params["featured"]))
    for name, taxonomy, field in (
        ("category", CATEGORY, "category_ids"),
        ("tag", TAG, "tag_ids"),
        ("brand", BRAND, "brand_ids"),
    ):
        if params.get(name):
            tests.append(_in_terms(store, taxonomy, field, php_text(params[name])))
    if params.get("attribute_term"):
        term = id_of(params["attribute_term"])
        tests.append(lambda item: any(term in a.term_ids for a in item.attributes))
    if params.get("search_sku"):
        part = collated(php_text(params["search_sku"]))
        tests.append(lambda item: part in collated(item.sku))
    if params.get("search_name_or_sku"):
        tests.append(_named(store, collated(php_text(params["search_name_or_sku"]))))
    return tests


def _named(store: Store, part: str) -> Test:
    def test(item: Item) -> bool:
        parent = store.items.get(item.parent_id)
        name = parent.name if parent is not None and item.is_variation else item.name
        return part in collated(item.sku) or part in collated(name)

    return test


def _in_terms(store: Store, taxonomy: str, field: str, text: str) -> Test:
    wanted = {id_of(word) for word in text.split(",")}
    while True:  # the branches below the wanted terms, level by level
        below = {
            term.id
            for term in store.terms.values()
            if term.taxonomy == taxonomy and term.parent in wanted
        }
        if below <= wanted:
            break
        wanted |= below

    return lambda item: not wanted.isdisjoint(getattr(item, field))
