"""Mapping templates: what is refused, and what our values become."""

from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.mapping import (
    Case,
    ChannelField,
    MappingRule,
    MappingSet,
    Template,
    Wanted,
    disabled_targets,
    validate,
    wanted,
)
from reconcile.core.types import (
    FieldGroup,
    FieldRole,
    Fields,
    Level,
    Operation,
    Presence,
    Value,
)

SYNC, PUBLISH = Operation.SYNC_LISTINGS, Operation.PUBLISH_LISTINGS


def _field(name: str, group: FieldGroup, role: FieldRole, level: Level) -> ChannelField:
    return ChannelField(name, name.title(), group, role, level, "group")


FIELDS = {
    item.name: item
    for item in (
        _field("price", FieldGroup.SYNC, FieldRole.PRICE, Level.VARIANT),
        _field("stock", FieldGroup.SYNC, FieldRole.QUANTITY, Level.VARIANT),
        _field("name", FieldGroup.CONTENT, FieldRole.CONTENT, Level.LISTING),
        _field("kind", FieldGroup.CONTENT, FieldRole.CONTENT, Level.LISTING),
        _field("code", FieldGroup.CONTENT, FieldRole.CONTENT, Level.VARIANT),
    )
}
RULES = Template(
    (
        MappingRule("list_price", "price"),
        MappingRule("quantity", "stock"),
        MappingRule("title", "name"),
        MappingRule("mpn", "code"),
    )
)


def canonical(field: str, value: Value) -> Value:
    """A platform that takes prices of two decimals and trims texts."""
    if field == "price":
        try:
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise ValueError(f"{value} is no number") from error
        if number < 0:
            raise ValueError("a price is never negative")
        return str(number.quantize(Decimal("0.01")))
    return value.strip() or None if isinstance(value, str) else value


def evaluate(
    listing: Fields,
    variant: Fields,
    quantity: int | None = 3,
    template: Template = RULES,
    presence: Presence = Presence.LISTED,
    operation: Operation = PUBLISH,
) -> Wanted:
    """Our values on a channel that sells in EUR and hides by taking the stock."""
    return wanted(
        template,
        FIELDS,
        listing,
        variant,
        quantity,
        "EUR",
        canonical,
        presence,
        frozenset({"stock"}),
        operation,
    )


def _set(*cases: Case, keep: bool = True) -> MappingSet:
    return MappingSet("kinds", cases, keep)


@pytest.mark.parametrize(
    ("rules", "operation", "field", "code"),
    [
        ([MappingRule("lst_price", "price")], SYNC, "lst_price", "UnknownSource"),
        ([MappingRule("title.x", "name")], PUBLISH, "title.x", "UnknownSource"),
        ([MappingRule("categories.0", "name")], PUBLISH, "categories.0", "UnknownSource"),
        ([MappingRule("list_price", "prize")], SYNC, "prize", "UnknownTarget"),
        ([MappingRule("title", "name")], SYNC, "name", "GroupNotAllowed"),
        (
            [MappingRule("list_price", "price"), MappingRule("msrp", "price")],
            SYNC,
            "price",
            "DuplicateTarget",
        ),
        ([MappingRule("title", "price")], SYNC, "price", "KindMismatch"),
        ([MappingRule("quantity", "price")], SYNC, "price", "KindMismatch"),
        ([MappingRule("list_price", "stock")], SYNC, "stock", "KindMismatch"),
        ([MappingRule("title", "kind", mapping_set=_set())], PUBLISH, "kind", "InvalidMappingSet"),
        (
            [MappingRule("title", "kind", mapping_set=_set(Case("colour", "x", "y")))],
            PUBLISH,
            "kind",
            "InvalidMappingSet",
        ),
        (
            [MappingRule("title", "kind", mapping_set=_set(Case("brand", "x", None)))],
            PUBLISH,
            "kind",
            "InvalidMappingSet",
        ),
        (
            [
                MappingRule(
                    "title",
                    "kind",
                    mapping_set=_set(Case("brand", "x", "1"), Case("brand", "x", "2")),
                )
            ],
            PUBLISH,
            "kind",
            "InvalidMappingSet",
        ),
        (
            [MappingRule("quantity", "stock", mapping_set=_set(Case("brand", "x", 0)))],
            SYNC,
            "stock",
            "InvalidMappingSet",
        ),
        ([MappingRule("title", "name")], Operation.LINK_LISTINGS, "", "NoTemplate"),
    ],
)
def test_invalid_templates_name_the_field(
    rules: list[MappingRule], operation: Operation, field: str, code: str
) -> None:
    """Each mistake is refused with the field it is about and a sentence."""
    problems = validate(Template(tuple(rules)), FIELDS, operation)
    assert [(item.field, item.code) for item in problems] == [(field, code)]
    assert problems[0].message


def test_valid_templates_pass() -> None:
    """A good template has no problem, and what is switched off may be of any group."""
    assert validate(RULES, FIELDS, PUBLISH) == []
    off = Template((MappingRule("list_price", "price"), MappingRule("title", "name", False)))
    assert validate(off, FIELDS, SYNC) == []
    twice = Template((MappingRule("list_price", "price"), MappingRule("msrp", "price", False)))
    assert validate(twice, FIELDS, SYNC) == []
    assert validate(Template(), FIELDS, Operation.LINK_LISTINGS) == []
    assert disabled_targets(off, FIELDS) == ("code", "kind", "name", "stock")


def test_values_land_where_they_belong() -> None:
    """Values become canonical, by group and level; the variant's own wins."""
    result = evaluate(
        {"title": " Shirt ", "list_price": {"amount": "9", "currency": "EUR"}, "mpn": "L"},
        {"list_price": {"amount": "9.5", "currency": "EUR"}, "title": "ignored"},
    )
    assert result == Wanted(
        sync={"price": "9.50", "stock": 3},
        listing_content={"name": "Shirt"},
        variant_content={"code": "L"},
    )


@pytest.mark.parametrize(
    ("listing", "quantity", "field", "reason", "words"),
    [
        ({"list_price": {"amount": "9", "currency": "USD"}}, 3, "price", "CurrencyMismatch", "USD"),
        ({"list_price": {"amount": "-9", "currency": "EUR"}}, 3, "price", "Invalid", "negative"),
        ({"list_price": {"amount": "9"}}, 3, "price", "Invalid", "currency"),
        ({"list_price": "9"}, 3, "price", "Invalid", "currency"),
        ({}, 3, "price", "NoValue", "list_price"),
        ({}, None, "stock", "NoValue", "quantity"),
        ({"title": "  "}, 3, "name", "NoValue", "title"),
    ],
)
def test_what_is_not_sent_says_why(
    listing: Fields, quantity: int | None, field: str, reason: str, words: str
) -> None:
    """A missing, foreign or invalid value is withheld with its reason, and never sent."""
    result = evaluate(listing, {}, quantity)
    found = {item.field: item for item in result.withheld}
    assert found[field].reason == reason
    assert words in found[field].message
    assert field not in {**result.sync, **result.listing_content}


def test_hiding_holds_what_it_overwrites() -> None:
    """While hidden is wanted, what hiding overwrites is withheld; the rest is not."""
    price: Fields = {"list_price": {"amount": "9", "currency": "EUR"}}
    result = evaluate(price, {}, presence=Presence.HIDDEN)
    assert result.sync == {"price": "9.00"}
    assert ("stock", "Hidden") in {(item.field, item.reason) for item in result.withheld}


def test_only_enabled_rules_of_the_operation_count() -> None:
    """What is switched off, or of a group that the operation does not send, is not evaluated."""
    off = Template(
        (MappingRule("list_price", "price", enabled=False), MappingRule("title", "name"))
    )
    result = evaluate({"title": "T", "list_price": "junk"}, {}, template=off, operation=SYNC)
    assert result == Wanted()


def test_a_quantity_is_the_one_that_was_worked_out() -> None:
    """Stated quantities among the fields are never sent past the stock rules."""
    assert evaluate({"quantity": 99}, {"quantity": 98}, 3).sync["stock"] == 3
    assert "stock" not in evaluate({"quantity": 99}, {"quantity": 98}, None).sync


@pytest.mark.parametrize(
    ("path", "equals", "kind"),
    [
        (["Clothing", "Shirts", "Polo"], "Clothing > Shirts", "apparel"),
        (["Clothing", "Shirts"], "Clothing>Shirts", "apparel"),
        (["Clothing"], "Clothing > Shirts", "T"),
        (["Toys", "Clothing", "Shirts"], "Clothing > Shirts", "T"),
        (["Clothing", "Shirts of old"], "Clothing > Shirts", "T"),
    ],
)
def test_category_cases_hold_for_the_path_and_below(
    path: list[Value], equals: str, kind: str
) -> None:
    """A case on categories holds for that path or one below it, else the value is kept."""
    rule = MappingRule("title", "kind", mapping_set=_set(Case("categories", equals, "apparel")))
    result = evaluate({"title": "T", "categories": path}, {}, template=Template((rule,)))
    assert result.listing_content == {"kind": kind}


def test_the_first_case_that_holds_wins() -> None:
    """Cases are tried in order, on any field of ours, a part of one included."""
    cases = _set(
        Case("attributes.Color", "red", "first"), Case("brand", "acme", "second"), keep=False
    )
    template = Template((MappingRule("title", "kind", mapping_set=cases),))
    red: Fields = {"title": "T", "brand": "acme", "attributes": {"Color": "red"}}
    assert evaluate(red, {}, template=template).listing_content == {"kind": "first"}
    assert evaluate({"brand": "acme"}, {}, template=template).listing_content == {"kind": "second"}
    (said,) = evaluate({"title": "T"}, {}, template=template).withheld
    assert said.reason == "NotMapped"


def test_a_part_of_a_field_can_be_a_source() -> None:
    """One attribute or one category level feeds a field of its own."""
    values: Fields = {"categories": ["Clothing", "Shirts"], "custom_fields": {"x": "y"}}
    level = Template((MappingRule("categories.2", "kind"), MappingRule("custom_fields.x", "name")))
    result = evaluate(values, {}, template=level)
    assert result.listing_content == {"kind": "Shirts", "name": "y"}
    assert evaluate({"categories": ["Top"]}, {}, template=level).listing_content == {}


amounts = st.fixed_dictionaries(
    {}, optional={"amount": st.text("0123456789.-,", max_size=4), "currency": st.sampled_from("EU")}
)
texts = st.none() | st.text(max_size=3)
ours = st.fixed_dictionaries(
    {},
    optional={"title": texts, "mpn": texts, "list_price": st.none() | amounts, "brand": texts},
)


@given(ours, ours, st.none() | st.integers(0, 3), st.sampled_from(Presence))
def test_every_enabled_field_is_sent_or_explained(
    listing: Fields, variant: Fields, quantity: int | None, presence: Presence
) -> None:
    """No enabled field vanishes: it has a canonical value or a reason, never both."""
    result = evaluate(listing, variant, quantity, presence=presence)
    sent = {**result.sync, **result.listing_content, **result.variant_content}
    said = {item.field for item in result.withheld}
    assert set(sent) | said == {"price", "stock", "name", "code"}
    assert not set(sent) & said
    assert None not in sent.values()
    if "stock" in sent:
        assert sent["stock"] == quantity
