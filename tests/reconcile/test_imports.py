"""Catalog imports: from the bytes of a file to listings, interrupted anywhere."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from reconcile import imports
from reconcile.commands import imports as commands
from reconcile.commands.errors import CommandError
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.listings import ListingDraft, VariantDraft, upsert
from reconcile.core.types import Presence
from reconcile.deps import Deps, Tuning
from reconcile.imports import advance_import
from reconcile.store.imports import (
    ImportFilter,
    ImportRow,
    due_imports,
    imports_by_ids,
    list_imports,
    problem_pages,
)
from reconcile.store.items import items_by_sku
from reconcile.store.listings import ListingFilter, count_listings
from tests.reconcile.commands.shop import Shop, codes, connect_shop, make_shop
from tests.wiring_double import Bell, make_deps

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """Yield a connected channel without listings."""
    engine = create_async_engine(database_url, pool_size=3)
    try:
        made = make_shop(engine)
        await connect_shop(made)
        yield made
    finally:
        await engine.dispose()


async def hand_in(
    shop: Shop,
    data: str | bytes,
    *,
    name: str = "catalog.csv",
    replace_with: Presence | None = None,
    pause_new: bool = False,
    portion: int = 100,
) -> int:
    """Send a file in, in small portions; the import's id."""
    import_id = await commands.begin(
        shop.deps,
        shop.channel_id,
        name,
        replace_with=replace_with,
        pause_new=pause_new,
        by="me",
    )
    content = data.encode() if isinstance(data, str) else data
    for number, start in enumerate(range(0, len(content), portion)):
        await commands.append(shop.deps, import_id, number, content[start : start + portion])
    await commands.finish(shop.deps, import_id)
    return import_id


async def run(deps: Deps, import_id: int) -> None:
    """Advance an import to its end."""
    for _ in range(100):
        if not await advance_import(deps, import_id):
            return
    raise AssertionError("the import never ended")


async def state_of(shop: Shop, import_id: int) -> ImportRow:
    """The import as stored."""
    async with shop.deps.engine.connect() as conn:
        return (await imports_by_ids(conn, [import_id]))[import_id]


async def take_in(shop: Shop, data: str | bytes, **options: object) -> ImportRow:
    """Hand a file in and import it."""
    import_id = await hand_in(shop, data, **options)  # type: ignore[arg-type]
    await run(shop.deps, import_id)
    return await state_of(shop, import_id)


CATALOG = """\
parent_sku,sku,title,brand,list_price,quantity,option_1_name,option_1_value,presence
,MUG,Mug,Acme,9.90,4,,,
TEE,TEE-S,Tee,Acme,19.00,1,Size,S,
TEE,TEE-M,Tee,Acme,19.00,0,Size,M,HIDDEN
"""


async def test_a_file_becomes_listings_and_quantities(shop: Shop) -> None:
    """Simple and variable listings, prices per variant, quantities per SKU."""
    done = await take_in(shop, CATALOG)

    assert done.state == "DONE"
    assert done.counts == {"rows": 2, "variants": 3, "created": 2, "quantities": 3}
    mug, small, medium = [await shop.variant(sku) for sku in ("MUG", "TEE-S", "TEE-M")]
    assert mug.fields == {"list_price": {"amount": "9.90", "currency": "EUR"}}
    assert mug.sources["list_price"]["source"] == "FILE"
    assert small.listing_id == medium.listing_id
    assert small.options == (("Size", "S"),)
    assert (medium.presence, medium.is_asserted) == (Presence.HIDDEN, True)
    async with shop.deps.engine.connect() as conn:
        items = await items_by_sku(conn, ["MUG", "TEE-M"])
    assert (items["MUG"].stated, items["TEE-M"].stated) == (4, 0)
    assert items["MUG"].source == "FILE"
    assert await shop.dirty() == {mug.listing_id, small.listing_id}
    assert await shop.rows("SELECT 1 FROM import_chunks") == []


async def test_the_same_file_again_changes_nothing(shop: Shop) -> None:
    """Unchanged rows keep their revision and make nothing due."""
    await take_in(shop, CATALOG)
    await shop.settle()
    before = await shop.variant("TEE-S")

    done = await take_in(shop, CATALOG)

    assert done.counts == {"rows": 2, "variants": 3, "unchanged": 2}
    assert await shop.variant("TEE-S") == before
    assert await shop.dirty() == set()


async def test_only_what_differs_becomes_due(shop: Shop) -> None:
    """A changed price makes one listing due; a blank cell states nothing."""
    await take_in(shop, CATALOG)
    await shop.settle()
    changed = "sku,title,list_price\nMUG,,10.50\n"

    done = await take_in(shop, changed)

    assert done.counts["updated"] == 1
    mug = await shop.variant("MUG")
    assert mug.fields["list_price"] == {"amount": "10.50", "currency": "EUR"}
    async with shop.deps.engine.connect() as conn:
        assert await count_listings(conn, ListingFilter(title_contains="mug")) == 1
    assert await shop.dirty() == {mug.listing_id}


async def test_a_changed_quantity_alone_counts_as_an_update(shop: Shop) -> None:
    """The SKU's variants become due on every channel, their listing is not revised."""
    await take_in(shop, CATALOG)
    await shop.settle()
    done = await take_in(shop, "sku,quantity\nMUG,5\n")
    assert (done.counts["updated"], done.counts["quantities"]) == (1, 1)
    assert (await shop.variant("MUG")).is_stale


async def test_bad_rows_are_reported_and_good_ones_imported(shop: Shop) -> None:
    """Each bad row has its line, its SKU and the reason."""
    data = 'sku,title,list_price,colour\nA,A,1.00,x\nB,B,"13,5",x\n,C,2.00,x\nA,A,3.00,x\nD,D,4,x\n'
    import_id = await hand_in(shop, data)
    await run(shop.deps, import_id)

    done = await state_of(shop, import_id)
    assert done.state == "DONE"
    assert (done.counts["created"], done.counts["errors"], done.counts["lost"]) == (2, 4, 3)
    async with shop.deps.engine.connect() as conn:
        page = (await problem_pages(conn, [import_id], None, 2))[import_id]
        after = page.rows[-1].id
        rest = (await problem_pages(conn, [import_id], after, 10))[import_id]
        pages = await problem_pages(conn, [import_id, 77], None, 3)
    found = [(row.line, row.code) for row in (*page.rows, *rest.rows)]
    assert found == [
        (1, "UnknownColumn"),
        (3, "BadPrice"),
        (4, "MissingSku"),
        (5, "DuplicateSku"),
    ]
    assert page.has_next
    assert (len(pages[import_id].rows), pages[import_id].has_next) == (3, True)


async def test_a_sku_that_moved_to_another_parent_is_reported(shop: Shop) -> None:
    """A variant is not torn from its listing by a file; the rest of the row is taken."""
    await take_in(shop, CATALOG)
    moved = "parent_sku,sku,title\nNEW,TEE-S,New\nNEW,NEW-1,New\n"
    import_id = await hand_in(shop, moved)
    await run(shop.deps, import_id)

    done = await state_of(shop, import_id)
    assert (done.counts["created"], done.counts["errors"]) == (1, 1)
    async with shop.deps.engine.connect() as conn:
        problem = (await problem_pages(conn, [import_id], None, 5))[import_id].rows[0]
    assert (problem.line, problem.sku, problem.code) == (2, "TEE-S", "SkuUnderOtherParent")
    assert "TEE" in problem.message
    assert (await shop.variant("TEE-S")).listing_id != (await shop.variant("NEW-1")).listing_id


async def test_new_variants_can_start_paused(shop: Shop) -> None:
    """Known ones stay as they are, and a row that states it wins."""
    await take_in(shop, "sku,title\nA,A\n")
    data = "sku,title,paused\nA,A,\nB,B,\nC,C,false\n"
    await take_in(shop, data, pause_new=True)
    assert [(await shop.variant(sku)).is_paused for sku in "ABC"] == [False, True, False]


async def test_an_older_file_does_not_undo_a_newer_statement(shop: Shop) -> None:
    """Quantities are as of the time the file was handed in, however late it is imported."""
    import_id = await hand_in(shop, "sku,title,quantity\nA,A,1\n")
    shop.clock.shift = timedelta(minutes=1)
    await set_quantities(shop.deps, [Statement("A", 9)], by="me")
    await run(shop.deps, import_id)
    async with shop.deps.engine.connect() as conn:
        assert (await items_by_sku(conn, ["A"]))["A"].stated == 9


def big(count: int) -> str:
    """A file of many listings."""
    rows = "".join(f"S{number},Title {number},{number}.50,{number}\n" for number in range(count))
    return f"sku,title,list_price,quantity\n{rows}"


async def test_killed_anywhere_the_end_is_the_same(shop: Shop) -> None:
    """Every slice ends after one portion here; another worker goes on where it ended."""
    hurried = make_deps(
        shop.deps.engine,
        *shop.deps.platforms.values(),
        clock=shop.clock,
        bell=Bell(),
        tuning=Tuning(slice=timedelta(0)),
    )
    import_id = await hand_in(shop, big(1234), portion=5000)
    slices = 1
    while await advance_import(hurried, import_id):
        slices += 1
    assert slices == 4
    done = await state_of(shop, import_id)
    assert (done.state, done.rows_done, done.counts["created"]) == ("DONE", 1234, 1234)
    async with shop.deps.engine.connect() as conn:
        assert await count_listings(conn, ListingFilter(channel_id=shop.channel_id)) == 1234
        assert await due_imports(conn) == ()


async def test_a_worker_that_was_overtaken_stops(shop: Shop) -> None:
    """Whoever finds the rows done by another commits nothing twice."""
    import_id = await hand_in(shop, big(10))
    async with shop.deps.engine.begin() as conn:
        row = await imports._open(conn, import_id)
    assert row is not None
    await shop.rows("UPDATE imports SET rows_done = 10 WHERE id = :id", id=import_id)
    channel = await shop.channel()
    assert not await imports._store(shop.deps, row, channel, 0, [])
    async with shop.deps.engine.connect() as conn:
        assert await count_listings(conn, ListingFilter()) == 0


async def test_replace_hides_what_the_file_does_not_have(shop: Shop) -> None:
    """Missing means something only with `--replace`, and then what was chosen."""
    await take_in(shop, CATALOG)
    await shop.settle()
    await take_in(shop, "sku,title\nMUG,Mug\n")
    assert (await shop.variant("TEE-S")).presence is Presence.LISTED

    done = await take_in(shop, "sku,title\nMUG,Mug\n", replace_with=Presence.DELISTED)

    assert done.counts["replaced"] == 2
    gone = await shop.variant("TEE-S")
    assert (gone.presence, gone.is_asserted, gone.is_stale) == (Presence.DELISTED, True, True)
    assert gone.sources["presence"]["source"] == "FILE"
    assert (await shop.variant("MUG")).presence is Presence.LISTED
    assert await shop.dirty() == {gone.listing_id}
    assert await shop.rows("SELECT 1 FROM import_seen") == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("sku,title,list_price\nMUG,Mug,1.00\nX,X,abc\n", "1 rows of the file were lost"),
        ("sku,title\n", "holds no listing"),
        ("", "were lost"),
    ],
)
async def test_replace_is_refused_whole_for_a_damaged_file(
    shop: Shop, data: str, told: str
) -> None:
    """A file that lost rows, or holds none, proves nothing about what it does not show."""
    await take_in(shop, CATALOG)
    done = await take_in(shop, data, replace_with=Presence.HIDDEN)
    assert (done.state, done.error_code) == ("FAILED", "ReplaceRefused")
    assert done.error_message is not None
    assert told in done.error_message
    assert (await shop.variant("TEE-S")).presence is Presence.LISTED


async def test_a_file_of_nothing_but_errors_fails(shop: Shop) -> None:
    """An unknown layout imports nothing and says so."""
    done = await take_in(shop, "a;b;c\n1;2;3\n")
    assert (done.state, done.error_code) == ("FAILED", "NothingImported")


async def test_jsonl_goes_the_same_way(shop: Shop) -> None:
    """Our own JSONL states variants below their listing."""
    line = (
        '{"sku": "TEE", "title": "Tee", "variants": ['
        '{"sku": "TEE-S", "options": {"Size": "S"}, "list_price": 19.5, "quantity": 3}]}'
    )
    await take_in(shop, line, name="catalog.jsonl")
    small = await shop.variant("TEE-S")
    assert small.options == (("Size", "S"),)
    assert small.fields == {"list_price": {"amount": "19.50", "currency": "EUR"}}


async def test_cancel_keeps_what_was_imported(shop: Shop) -> None:
    """A canceled import is at its end, and its file is gone."""
    import_id = await hand_in(shop, CATALOG)
    await commands.cancel(shop.deps, import_id, by="me")
    assert not await advance_import(shop.deps, import_id)
    assert (await state_of(shop, import_id)).state == "CANCELED"
    assert await shop.rows("SELECT 1 FROM import_chunks") == []
    with pytest.raises(CommandError) as raised:
        await commands.append(shop.deps, import_id, 9, b"x")
    assert codes(raised.value) == [("WRONG_STATE", ("import_id",))]


async def test_portions_may_repeat_but_not_be_missing(shop: Shop) -> None:
    """A portion that is sent again is taken once; a gap is noticed."""
    import_id = await commands.begin(shop.deps, shop.channel_id, "a.csv", by="me")
    await commands.append(shop.deps, import_id, 0, b"sku\n")
    await commands.append(shop.deps, import_id, 0, b"sku\n")
    await commands.append(shop.deps, import_id, 2, b"A\n")
    assert (await state_of(shop, import_id)).received_bytes == 6
    with pytest.raises(CommandError, match="missing"):
        await commands.finish(shop.deps, import_id)
    await commands.append(shop.deps, import_id, 1, b"")
    await commands.finish(shop.deps, import_id)
    assert shop.bell.imports == [import_id]
    async with shop.deps.engine.connect() as conn:
        page = await list_imports(conn, ImportFilter(channel_id=shop.channel_id), None, 5)
        assert await due_imports(conn) == (import_id,)
    assert [row.name for row in page.rows] == ["a.csv"]


async def test_begin_checks_its_input(shop: Shop) -> None:
    """A name, and a presence that can stand for missing."""
    with pytest.raises(CommandError) as raised:
        await commands.begin(
            shop.deps, shop.channel_id, "a.csv", replace_with=Presence.LISTED, by="me"
        )
    assert codes(raised.value) == [("INVALID", ("replace_with",))]
    with pytest.raises(CommandError):
        await commands.begin(shop.deps, 99, "a.csv", by="me")
    with pytest.raises(CommandError):
        await commands.begin(shop.deps, shop.channel_id, " ", by="me")


async def test_a_further_row_of_a_parent_joins_it(shop: Shop) -> None:
    """Lines of one parent need not stand together, in one portion or in several."""
    await upsert(
        shop.deps, shop.channel_id, ListingDraft("P", variants=[VariantDraft("P-0")]), by="me"
    )
    data = "parent_sku,sku,title\nP,P-1,P\nQ,Q-1,Q\nP,P-2,P\n"
    done = await take_in(shop, data)
    assert done.counts.get("errors", 0) == 0
    owners = {(await shop.variant(sku)).listing_id for sku in ("P-0", "P-1", "P-2")}
    assert len(owners) == 1


async def test_imports_and_statements_at_once_do_not_block_each_other(shop: Shop) -> None:
    """Writers take their locks in one order: nobody is thrown out of a circle of waiting."""
    await take_in(shop, big(300))
    import_id = await hand_in(shop, big(300).replace(".50", ".75"), portion=5000)

    async def state(start: int) -> None:
        for step in range(5):
            skus = [f"S{number}" for number in range(299 - start, -1, -7)]
            await set_quantities(
                shop.deps, [Statement(sku, 1000 + start + step) for sku in skus], by="me"
            )

    async def edit() -> None:
        for number in range(0, 300, 15):
            await upsert(
                shop.deps, shop.channel_id, ListingDraft(f"S{number}", {"brand": "B"}), by="me"
            )

    await asyncio.gather(run(shop.deps, import_id), state(0), state(3), edit())
    assert (await state_of(shop, import_id)).state == "DONE"
