"""Properties of hiding, unhiding and syncing over stores with any mixture of stock and prices."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconcile.contract import ConfirmState
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.types import SeenPresence
from tests.adapters.shops import WooShop, tell, variants, write_of

DONE = (Outcome.APPLIED, Outcome.NO_OP)
RESTORED = ("manage_stock", "stock_quantity", "backorders", "regular_price", "sale_price")

managed = st.fixed_dictionaries(
    {
        "manage_stock": st.just(True),
        "stock_quantity": st.integers(-3, 5),
        "backorders": st.sampled_from(["no", "notify", "yes"]),
    }
)
unmanaged = st.fixed_dictionaries(
    {"stock_status": st.sampled_from(["instock", "outofstock", "onbackorder"])}
)
prices = st.fixed_dictionaries(
    {"regular_price": st.sampled_from(["5", "5.50", "", "20.123456"])},
    optional={"sale_price": st.sampled_from(["4", "1.5", "6"])},
)
offers = st.builds(lambda stock, price: {**stock, **price}, st.one_of(managed, unmanaged), prices)
shown = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["publish", "draft", "private"]),
        "catalog_visibility": st.sampled_from(["visible", "search", "hidden"]),
    }
)
changes = st.fixed_dictionaries(
    {"regular_price": st.sampled_from(["3", "6.5"])},
    optional={"sale_price": st.sampled_from(["4", "9"]), "stock_quantity": st.integers(0, 5)},
)


@st.composite
def stores(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Simple products and one with variations, which may share its stock."""
    simple = [
        {"name": f"S{n}", "sku": f"S{n}", **draw(shown), **draw(offers)}
        for n in range(draw(st.integers(0, 2)))
    ]
    variations = [
        {"sku": f"V-{size}", "attributes": [{"name": "Size", "option": size}], **draw(offers)}
        for size in "SM"
    ]
    options = [{"name": "Size", "options": ["S", "M"], "variation": True}]
    pool = draw(st.one_of(st.just({}), managed))
    variable = {"name": "V", "sku": "V", "type": "variable", "attributes": options, **pool}
    return [*simple, {**variable, **draw(shown), "variations": variations}]


@given(stores())
def test_hiding_and_unhiding_leave_everything_as_it_was(products: list[dict[str, Any]]) -> None:
    """Hidden means that nobody can buy; unhidden, that stock and prices are those of before."""

    async def check() -> None:
        shop = WooShop.open(products)
        seen = await variants(shop.adapter())
        before = {sku: shop.held(sku) for sku in seen}
        writes = [write_of(ActionKind.HIDE, pair) for pair in seen.values()]
        told = await tell(writes, shop.adapter().hide(writes))
        assert all(result.outcome in DONE for result in told.results.values())
        now = await variants(shop.adapter())
        assert all(variant.unsellable for _, variant in now.values())
        back = [
            replace(
                write,
                kind=ActionKind.UNHIDE,
                variants=(replace(write.variants[0], kept=told.results[write.key].kept),),
            )
            for write in writes
        ]
        told = await tell(back, shop.adapter().unhide(back))
        assert all(result.outcome in DONE for result in told.results.values())
        for sku, (_, variant) in (await variants(shop.adapter())).items():
            assert variant.presence is SeenPresence.LISTED
            held = shop.held(sku)
            assert [held[name] for name in RESTORED] == [before[sku][name] for name in RESTORED]

    asyncio.run(check())


@given(stores(), changes)
def test_a_sync_says_what_the_store_holds(
    products: list[dict[str, Any]], sync: dict[str, Any]
) -> None:
    """APPLIED exactly where every value stands in the books afterwards; `confirm` agrees."""

    async def check() -> None:
        shop = WooShop.open(products)
        seen = await variants(shop.adapter())
        writes = {sku: write_of(ActionKind.SYNC, pair, sync=sync) for sku, pair in seen.items()}
        told = await tell(list(writes.values()), shop.adapter().sync(list(writes.values())))
        confirmed = await shop.adapter().confirm(list(writes.values()))
        for sku, write in writes.items():
            held, result = shop.held(sku), told.results[write.key]
            stands = all(str(held[name]) == str(value) for name, value in sync.items())
            assert (result.outcome is Outcome.APPLIED) is stands, result.message
            assert (confirmed[write.key].state is ConfirmState.DONE) is stands

    asyncio.run(check())
