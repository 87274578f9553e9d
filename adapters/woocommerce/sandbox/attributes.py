"""Attributes of products and what variations choose of them, silent drops included."""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Attribute, Item
from adapters.woocommerce.sandbox.stock import truth
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import clean, php_text, slug


def _rows(value: Json) -> list[dict[str, Json]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _words(value: Json) -> list[str]:
    entries = value if isinstance(value, list) else php_text(value).split("|")
    return [php_text(entry) for entry in entries]


def set_attributes(store: Store, item: Item, sent: Json) -> None:
    """Replace the attributes of a product."""
    made: dict[str, Attribute] = {}
    for row in _rows(sent):
        attribute = _global(store, row) if row.get("id") else _local(row)
        if attribute is not None:
            attribute.position = id_of(row.get("position"))
            attribute.visible = truth(row.get("visible"))
            attribute.variation = truth(row.get("variation"))
            made[slug(attribute.name)] = attribute
    item.attributes = sorted(made.values(), key=lambda attribute: attribute.position)


def _global(store: Store, row: dict[str, Json]) -> Attribute | None:
    known = store.attributes.get(id_of(row["id"]))
    if known is None or row.get("options") is None:
        return None
    terms = []
    for word in filter(None, (clean(word) for word in _words(row["options"]))):
        found = store.find_term(known.slug, word) or store.add_term(known.slug, word)
        terms.append(found.id)
    return Attribute(known.id, known.slug, term_ids=list(dict.fromkeys(terms))) if terms else None


def _local(row: dict[str, Json]) -> Attribute | None:
    name = clean(php_text(row.get("name")))
    if not name or row.get("options") is None:
        return None
    # Local options are stored as one text with bars between them.
    stored = "|".join(_words(row["options"]))
    options = [part.strip() for part in stored.split("|") if part.strip()]
    return Attribute(0, name, options=options)


def key_of(attribute: Attribute) -> str:
    """Return the name under which variations choose a value of this attribute."""
    return slug(attribute.name)


def set_choices(store: Store, item: Item, parent: Item, sent: Json) -> None:
    """Replace what a variation chooses; what the parent does not offer for it is dropped."""
    offered = {key_of(a): a for a in parent.attributes if a.variation}
    chosen: dict[str, str] = {}
    for row in _rows(sent):
        if row.get("id"):
            known = store.attributes.get(id_of(row["id"]))
            key = known.slug if known is not None else ""
        else:
            key = slug(php_text(row.get("name")))
        if key not in offered:
            continue
        word = clean(php_text(row.get("option")))
        if offered[key].id:
            term = store.find_term(key, word)
            word = term.slug if term is not None else slug(word)
        chosen[key] = word
    item.chosen = chosen


def choices(store: Store, item: Item, parent: Item | None) -> list[tuple[Attribute, str]]:
    """Return what a variation chooses of what its parent offers now, as shown."""
    result = []
    for attribute in parent.attributes if parent is not None else ():
        word = item.chosen.get(key_of(attribute), "")
        if word and attribute.variation:
            result.append((attribute, _option(store, attribute, word)))
    return result


def _option(store: Store, attribute: Attribute, word: str) -> str:
    if not attribute.id:
        return word
    names = [t.name for t in store.terms_of(attribute.name) if t.slug == word]
    return names[0] if names else word


def label(store: Store, attribute: Attribute) -> str:
    """Return the name of an attribute as people read it."""
    return (
        store.attributes[attribute.id].name if attribute.id in store.attributes else attribute.name
    )


def shown(store: Store, attribute: Attribute) -> Json:
    """Show an attribute of a product."""
    terms = [store.terms[i].name for i in attribute.term_ids if i in store.terms]
    options: list[Json] = [*(sorted(terms) if attribute.id else attribute.options)]
    return {
        "id": attribute.id,
        "name": label(store, attribute),
        "slug": attribute.name,
        "position": attribute.position,
        "visible": attribute.visible,
        "variation": attribute.variation,
        "options": options,
    }


def shown_choices(store: Store, item: Item, parent: Item | None) -> list[Json]:
    """Show what a variation chooses."""
    return [
        {"id": a.id, "name": label(store, a), "slug": key_of(a), "option": word}
        for a, word in choices(store, item, parent)
    ]


def option_words(store: Store, attribute: Attribute) -> list[str]:
    """Return the values of an attribute as variations store them."""
    if not attribute.id:
        return attribute.options
    return [store.terms[i].slug for i in attribute.term_ids if i in store.terms]


def set_defaults(store: Store, item: Item, sent: Json) -> None:
    """Replace the choices that a product page starts with."""
    offered = {key_of(a): a for a in item.attributes if a.variation}
    item.default_attributes = []
    for row in _rows(sent):
        known = store.attributes.get(id_of(row.get("id")))
        key = known.slug if known is not None else slug(php_text(row.get("name")))
        word = clean(php_text(row.get("option")))
        if key in offered and word:
            shown_name = label(store, offered[key])
            item.default_attributes.append(
                {"id": offered[key].id, "name": shown_name, "option": word}
            )
