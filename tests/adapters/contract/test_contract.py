"""The suite that every platform passes against its sandbox, from what its record declares."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.registry import PLATFORMS
from reconcile.contract import (
    WRITES,
    Adapter,
    AdapterError,
    ConfirmState,
    Effect,
    Gone,
    Platform,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
    UnsupportedError,
    Write,
    setting_specs,
)
from reconcile.core.actions import OPERATION_ACTIONS, ActionKind, Outcome
from reconcile.core.types import FieldGroup, Operation, Presence, RemoteListing
from tests.adapters.contract.stands import STANDS, Stand
from tests.adapters.shops import (
    Told,
    everything,
    new_listing,
    tell,
    tell_until_error,
    variants,
    write_of,
)

pytestmark = pytest.mark.anyio

every_platform = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS.keys())
REMOTE = [kind for kind in WRITES if not kind.is_local]
SYNC = {"regular_price": "6.25", "stock_quantity": 2}


def supported(*kinds: ActionKind) -> pytest.MarkDecorator:
    """Each platform with each of these actions that it declares."""
    cases = [
        pytest.param(platform, kind, id=f"{platform.name}-{kind}")
        for platform in PLATFORMS.values()
        for kind in kinds
        if kind in platform.actions
    ]
    return pytest.mark.parametrize(("platform", "kind"), cases)


def stand_of(platform: Platform, products: int = 3, variable: int = 2, batch: int = 50) -> Stand:
    """A seeded store of the platform."""
    return STANDS[platform.name](products, variable, batch)


def sync_values(platform: Platform) -> dict[str, Any]:
    """A new price and quantity in the platform's own field names."""
    names = {item.role: item.name for item in platform.fields if item.group is FieldGroup.SYNC}
    found = {name: SYNC[name] for name in names.values() if name in SYNC}
    assert found, "teach the suite a value for one of the platform's SYNC fields"
    return found


async def writes_for(platform: Platform, kind: ActionKind, adapter: Adapter) -> list[Write]:
    """One action of that kind on each variant of the store (or new listings)."""
    if kind is ActionKind.PUBLISH:
        return [new_listing("New", "NEW"), new_listing("Many", "MANY-S", "MANY-M")]
    seen = await variants(adapter)
    if kind is ActionKind.OVERWRITE:
        return [
            replace(write_of(kind, pair), content={"name": f"Renamed {sku}"})
            for sku, pair in seen.items()
            if pair[1].ref.variant is None
        ]
    values = {"sync": sync_values(platform)} if kind is ActionKind.SYNC else {}
    return [write_of(kind, pair, **values) for pair in seen.values()]


async def run(kind: ActionKind, adapter: Adapter, writes: Sequence[Write]) -> Told:
    """Execute to the end."""
    return await tell(writes, WRITES[kind](adapter, writes))


async def hidden_first(platform: Platform, kind: ActionKind, stand: Stand) -> list[Write]:
    """Actions of that kind in a store where they make sense: UNHIDE needs hidden variants."""
    adapter = stand.adapter()
    if kind is not ActionKind.UNHIDE:
        return await writes_for(platform, kind, adapter)
    hide = await writes_for(platform, ActionKind.HIDE, adapter)
    told = await run(ActionKind.HIDE, adapter, hide)
    kept = {key.removeprefix("HIDE:"): result.kept for key, result in told.results.items()}
    writes = await writes_for(platform, kind, adapter)
    return [
        replace(
            write,
            variants=(replace(write.variants[0], kept=kept[write.key.removeprefix("UNHIDE:")]),),
        )
        for write in writes
    ]


def test_every_platform_has_a_stand() -> None:
    """The suite covers every platform of the registry that has a sandbox."""
    with_sandbox = {name for name, platform in PLATFORMS.items() if platform.sandbox is not None}
    assert with_sandbox == set(STANDS)


# --- what is declared ---------------------------------------------------------------------------


@every_platform
def test_declarations_agree_with_methods(platform: Platform) -> None:
    """An action is declared exactly if its method is overridden; every other one has a reason."""
    adapter = type(stand_of(platform).adapter())
    for kind in REMOTE:
        is_overridden = getattr(adapter, kind.lower()) is not getattr(Adapter, kind.lower())
        assert is_overridden == (kind in platform.actions), kind
        assert (kind in platform.actions) != (kind in platform.unsupported_actions), kind
    assert set(platform.operations) | set(platform.unsupported_operations) == set(Operation)
    assert not set(platform.operations) & set(platform.unsupported_operations)
    reasons = [*platform.unsupported_operations.values(), *platform.unsupported_actions.values()]
    assert all(len(reason) > 20 for reason in reasons)
    for operation, kinds in OPERATION_ACTIONS.items():
        if operation not in platform.operations:
            continue
        for kind in kinds:
            known = kind.is_local or kind in platform.actions
            assert known or kind in platform.unsupported_actions, (operation, kind)


@every_platform
async def test_unsupported_methods_refuse_before_any_request(platform: Platform) -> None:
    """What is not declared raises UnsupportedError and sends nothing."""
    stand = stand_of(platform)
    stand.forget()
    adapter = Adapter(platform)
    for kind in REMOTE:
        with pytest.raises(UnsupportedError, match=platform.title):
            WRITES[kind](adapter, [])
    with pytest.raises(UnsupportedError):
        await adapter.check()
    assert stand.requests() == {}


@every_platform
def test_templates_fit_the_fields(platform: Platform) -> None:
    """Default templates name existing fields of their operation's groups, one source per target."""
    for operation, template in platform.templates.items():
        assert operation in platform.operations
        if operation in (Operation.GET_ORDERS, Operation.SYNC_ORDERS):
            continue  # fields of orders are no fields of listings: see test_order_contract
        enabled = [rule.target for rule in template.rules if rule.enabled]
        assert len(enabled) == len(set(enabled))
        for rule in template.rules:
            field = platform.channel_field(rule.target)
            assert field is not None, rule.target
            if operation is Operation.SYNC_LISTINGS:
                assert field.group is FieldGroup.SYNC


@every_platform
def test_identifiers_and_presence_are_declared(platform: Platform) -> None:
    """Linking pairs name declared identifiers; every presence says what it means."""
    ours = {item.name for item in platform.our_identifiers}
    theirs = {item.name for item in platform.their_identifiers}
    assert platform.linking_pairs
    assert all(our in ours and their in theirs for our, their in platform.linking_pairs)
    assert set(platform.presence) == set(Presence)
    assert all(form.explanation for form in platform.presence.values())
    groups = {item.write_group for item in platform.fields}
    assert {form.write_group for form in platform.presence.values()} <= groups


@every_platform
def test_settings_say_where_they_are_found(platform: Platform) -> None:
    """Every field of credentials and settings has a title and a help text; secrets stay hidden."""
    for settings in (platform.credentials, platform.settings, *platform.operations.values()):
        for spec in setting_specs(settings):
            assert spec.title
            assert spec.help
    secret = {spec.name: "planted" for spec in setting_specs(platform.credentials)}
    shown = repr(platform.credentials(**secret))
    hidden = [spec.name for spec in setting_specs(platform.credentials) if spec.secret]
    assert hidden
    assert shown.count("planted") == len(secret) - len(hidden)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
LIKELY = st.sampled_from(
    ["12.50", " 1 ", "-5", "13,5", "abc", "&amp;amp;", "a > b, c", "https://a.example/b.png", "1e3"]
)


@every_platform
@given(value=JSON | LIKELY, data=st.data())
def test_canonical_values_are_stable(platform: Platform, value: Any, data: st.DataObject) -> None:
    """`canonical` is idempotent, and refuses with ValueError only; keys are idempotent too."""
    field = data.draw(st.sampled_from([item.name for item in platform.fields]))
    with suppress(ValueError):
        once = platform.canonical(field, value)
        assert platform.canonical(field, once) == once
    if isinstance(value, str):
        names = [item.name for item in (*platform.our_identifiers, *platform.their_identifiers)]
        name = data.draw(st.sampled_from(names))
        key = platform.key(name, value)
        assert key is None or platform.key(name, key) == key


# --- reading ------------------------------------------------------------------------------------


@every_platform
async def test_check_is_one_request_and_stable(platform: Platform) -> None:
    """`check` costs one request and says the same each time; `connect_check` agrees with it."""
    stand = stand_of(platform)
    adapter = stand.adapter()
    stand.forget()
    first = await adapter.check()
    assert sum(stand.requests().values()) == 1
    second, connected = await adapter.check(), await adapter.connect_check()
    assert first == second
    assert (connected.account_id, connected.currency) == (first.account_id, first.currency)
    assert {"read", "write"} <= connected.scopes


@every_platform
async def test_walk_is_complete(platform: Platform) -> None:
    """All products come once, the end is marked once, and the stated total is true."""
    stand = stand_of(platform, products=130, variable=4)
    pages = [page async for page in stand.adapter().listings(None)]
    ids = [row.id for page in pages for row in page.rows]
    assert len(ids) == len(set(ids)) == 134
    assert {page.total for page in pages} == {134}
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    skus = {item.sku for page in pages for row in page.rows for item in row.variants}
    assert skus == {sku for sku in stand.skus() if sku}


@every_platform
async def test_walk_goes_on_from_every_cursor(platform: Platform) -> None:
    """A new adapter that is given any page's cursor, as JSON, gives exactly the rest."""
    stand = stand_of(platform, products=105, variable=3)
    pages = [page async for page in stand.adapter().listings(None)]
    for at, page in enumerate(pages):
        cursor = json.loads(json.dumps(page.cursor))
        rest = (
            [later async for later in stand.adapter().listings(cursor)] if not page.is_last else []
        )
        assert [row for later in rest for row in later.rows] == [
            row for later in pages[at + 1 :] for row in later.rows
        ]


@every_platform
async def test_walk_without_content(platform: Platform) -> None:
    """Without content a walk gives the same variants to sell, and says what it left out."""
    stand = stand_of(platform)
    whole = await everything(stand.adapter())
    bare = [row async for p in stand.adapter().listings(None, with_content=False) for row in p.rows]
    assert [row.id for row in bare] == list(whole)
    for row in bare:
        assert not row.has_content
        assert row.content == row.import_fields == {}
        pairs = zip(row.variants, whole[row.id].variants, strict=True)
        for ours, full in pairs:
            assert ours == replace(full, content=ours.content, import_fields=ours.import_fields)
    refs = [variant.ref for row in bare for variant in row.variants]
    found = await stand.adapter().read(refs, with_content=False)
    assert [row for row in bare if row.variants] == list(
        {item.id: item for item in found.values() if isinstance(item, RemoteListing)}.values()
    )


@every_platform
async def test_empty_store(platform: Platform) -> None:
    """A store without products is a complete walk of no rows."""
    pages = [page async for page in stand_of(platform, 0, 0).adapter().listings(None)]
    assert [row for page in pages for row in page.rows] == []
    assert pages[-1].is_last
    assert pages[-1].total in (0, None)


@every_platform
@pytest.mark.parametrize("effect", ["cut_page", "empty", "repeat_page"])
async def test_spoiled_pages_are_not_believed(platform: Platform, effect: str) -> None:
    """A page that lost rows, or comes twice, ends the walk with an error instead of a hole."""
    stand = stand_of(platform, products=150, variable=0)
    stand.fault(effect, path_contains=stand.read_path, nth=2)
    with pytest.raises(UnexpectedResponseError):
        await everything(stand.adapter())


@every_platform
async def test_read_proves_absence(platform: Platform) -> None:
    """Deleted objects read as Gone, present ones as their product, in one call."""
    stand = stand_of(platform)
    seen = await variants(stand.adapter())
    stand.shop({"do": "delete", "sku": "S-1"})
    stand.shop({"do": "delete", "sku": "V-0-M"})
    refs = {sku: variant.ref for sku, (_, variant) in seen.items()}
    found = await stand.adapter().read(list(refs.values()))
    gone = {sku for sku, ref in refs.items() if isinstance(found[ref], Gone)}
    assert gone == {"S-1", "V-0-M"}
    here = found[refs["S-0"]]
    assert isinstance(here, RemoteListing)
    assert here == seen["S-0"][0]


# --- errors -------------------------------------------------------------------------------------

FAULTS: Mapping[str, tuple[dict[str, Any], type[AdapterError]]] = {
    "429": ({"effect": "status", "status": 429}, RateLimitedError),
    "500": ({"effect": "status", "status": 500}, UnavailableError),
    "503-html": ({"effect": "html"}, UnavailableError),
    "garbage": ({"effect": "garbage"}, UnexpectedResponseError),
    "reset": ({"effect": "reset"}, UnavailableError),
    "time-out": ({"effect": "timeout_before"}, UnavailableError),
}


@every_platform
@pytest.mark.parametrize("fault", FAULTS)
async def test_failed_reads_change_nothing(platform: Platform, fault: str) -> None:
    """A failing read has the right class, and says that nothing happened."""
    order, expected = FAULTS[fault]
    stand = stand_of(platform)
    stand.fault(**order, path_contains=stand.read_path, headers={"Retry-After": "7"})
    with pytest.raises(expected) as raised:
        await everything(stand.adapter())
    assert raised.value.effect is Effect.NONE
    if fault in ("429", "503-html"):
        assert raised.value.retry_after is not None
        assert raised.value.retry_after.total_seconds() == 7
        assert stand.transport.learned[-1].blocked_for == raised.value.retry_after


@supported(ActionKind.SYNC)
@pytest.mark.parametrize("fault", FAULTS)
async def test_failed_writes_say_what_may_have_happened(
    platform: Platform, kind: ActionKind, fault: str
) -> None:
    """A failing write raises after its Sending: NONE where it was refused, else POSSIBLE."""
    order, expected = FAULTS[fault]
    stand = stand_of(platform)
    writes = await writes_for(platform, kind, stand.adapter())
    stand.fault(**order, path_contains=stand.write_paths[kind])
    told, error = await tell_until_error(WRITES[kind](stand.adapter(), writes))
    assert isinstance(error, expected)
    assert isinstance(error, AdapterError)
    assert error.effect is (Effect.NONE if fault == "429" else Effect.POSSIBLE)
    assert told.sendings
    assert stand.transport.records[-1].error


@every_platform
async def test_wrong_login_is_never_absence(platform: Platform) -> None:
    """Wrong credentials raise UnauthorizedError from every way of reading."""
    stand = stand_of(platform)
    ref = (await variants(stand.adapter()))["S-0"][1].ref
    adapter = stand.with_wrong_login()
    with pytest.raises(UnauthorizedError):
        await adapter.check()
    with pytest.raises(UnauthorizedError):
        await everything(adapter)
    with pytest.raises(UnauthorizedError):
        await adapter.read([ref])


@every_platform
async def test_secrets_stay_out_of_errors_and_log(platform: Platform) -> None:
    """Neither what is recorded nor an error text holds a credential."""
    stand = stand_of(platform)
    writes = await writes_for(platform, ActionKind.SYNC, stand.adapter())
    await run(ActionKind.SYNC, stand.adapter(), writes)
    body = json.dumps({"code": "x", "message": f"you sent {stand.secrets[0]} {stand.secrets[1]}"})
    stand.fault("status", status=400, body=body, path_contains=stand.write_paths[ActionKind.SYNC])
    _, error = await tell_until_error(WRITES[ActionKind.SYNC](stand.adapter(), writes))
    assert error is not None
    shown = f"{error} {error!r} {stand.transport.records!r} {stand.adapter()!r}"
    assert stand.transport.records
    assert not any(secret in shown for secret in stand.secrets)


# --- writing ------------------------------------------------------------------------------------


@supported(*REMOTE)
async def test_twice_is_harmless(platform: Platform, kind: ActionKind) -> None:
    """Every declared write works, and the same write once more changes nothing further."""
    stand = stand_of(platform)
    writes = await hidden_first(platform, kind, stand)
    adapter = stand.adapter()
    told = await run(kind, adapter, writes)
    assert {result.outcome for result in told.results.values()} <= {Outcome.APPLIED, Outcome.NO_OP}
    assert told.sendings
    first = await everything(stand.adapter())
    told = await run(kind, stand.adapter(), writes)
    assert Outcome.FAILED not in {result.outcome for result in told.results.values()}
    again = await everything(stand.adapter())
    assert {i: replace(row, modified_at=None) for i, row in again.items()} == {
        i: replace(row, modified_at=None) for i, row in first.items()
    }
    skus = [sku for sku in stand.skus() if sku]
    assert len(skus) == len(set(skus))


@supported(ActionKind.SYNC)
async def test_batches_are_full_and_no_larger(platform: Platform, kind: ActionKind) -> None:
    """For N changed rows and batch size B, ceil(N / B) requests leave."""
    batch = min(20, platform.actions[kind].batch_size)
    stand = stand_of(platform, products=47, variable=0, batch=batch)
    writes = await writes_for(platform, kind, stand.adapter())
    stand.forget()
    told = await run(kind, stand.adapter(), writes)
    assert len(told.sendings) == sum(stand.requests().values()) == math.ceil(47 / batch)
    assert max(len(sending.keys) for sending in told.sendings) == batch


@supported(*REMOTE)
async def test_every_request_is_announced(platform: Platform, kind: ActionKind) -> None:
    """No writing request leaves before a Sending names the actions it is for."""
    stand = stand_of(platform)
    writes = await hidden_first(platform, kind, stand)
    stand.transport.records.clear()
    sent = 0
    async for progress in WRITES[kind](stand.adapter(), writes):
        if type(progress).__name__ == "Sending":
            sent += 1
        assert len(stand.transport.records) <= sent
    assert len(stand.transport.records) == sent


@supported(*REMOTE)
@pytest.mark.parametrize("effect", ["timeout_before", "timeout_after"])
async def test_confirm_tells_what_happened(
    platform: Platform, kind: ActionKind, effect: str
) -> None:
    """After a time-out `confirm` says DONE if the effect is there, NOT_DONE if it is not."""
    stand = stand_of(platform, products=2, variable=0)
    if kind is ActionKind.PUBLISH:
        writes = [new_listing("New", "NEW")]
    else:
        writes = (await hidden_first(platform, kind, stand))[:1]
    stand.fault(effect, path_contains=stand.write_paths[kind])
    told, error = await tell_until_error(WRITES[kind](stand.adapter(), writes))
    assert isinstance(error, UnavailableError)
    assert error.effect is Effect.POSSIBLE
    (write,) = [replace(item, steps=told.steps) for item in writes]
    found = (await stand.adapter().confirm([write]))[write.key]
    expected = ConfirmState.NOT_DONE if effect == "timeout_before" else ConfirmState.DONE
    assert found.state is expected, found.evidence
    assert found.evidence
    assert (found.result is not None) == (expected is ConfirmState.DONE)


@supported(ActionKind.SYNC)
async def test_confirm_cannot_tell_without_an_answer(platform: Platform, kind: ActionKind) -> None:
    """A store that cannot be read leaves the outcome open."""
    stand = stand_of(platform)
    writes = await writes_for(platform, kind, stand.adapter())
    stand.fault("html", times=None)
    found = await stand.adapter().confirm(writes)
    assert {item.state for item in found.values()} == {ConfirmState.CANNOT_TELL}


@supported(ActionKind.PUBLISH)
async def test_late_work_is_not_doubled(platform: Platform, kind: ActionKind) -> None:
    """A request that goes on after its client gave up, followed by a retry, makes one product."""
    stand = stand_of(platform, 0, 0)
    write = new_listing("New", "NEW")
    stand.fault("late", path_contains=stand.write_paths[kind], seconds=0.05)
    _, error = await tell_until_error(WRITES[kind](stand.adapter(), [write]))
    assert isinstance(error, UnavailableError)
    await stand.settle()
    told = await run(kind, stand.adapter(), [write])
    assert told.result.existing is not None
    assert stand.skus() == ["NEW"]


@supported(ActionKind.HIDE)
async def test_hide_and_unhide_restore(platform: Platform, kind: ActionKind) -> None:
    """After hide and unhide every variant is as it was; hidden ones look unsellable or hidden."""
    stand = stand_of(platform)
    before = await everything(stand.adapter())
    writes = await hidden_first(platform, ActionKind.UNHIDE, stand)
    hidden = await everything(stand.adapter())
    for row in hidden.values():
        assert all(item.unsellable or item.presence == "HIDDEN" for item in row.variants), kind
    await run(ActionKind.UNHIDE, stand.adapter(), writes)
    after = await everything(stand.adapter())
    for listing_id, row in before.items():
        pairs = zip(row.variants, after[listing_id].variants, strict=True)
        assert all(was == now for was, now in pairs)


@supported(ActionKind.DELIST)
async def test_delist_ends_products(platform: Platform, kind: ActionKind) -> None:
    """A delist that ends a product removes it with all its variants."""
    stand = stand_of(platform, products=0, variable=1)
    ((listing, _), *_) = (await variants(stand.adapter())).values()
    pairs = [write_of(kind, (listing, item)) for item in listing.variants]
    both = tuple(pair.variants[0] for pair in pairs)
    write = replace(pairs[0], variants=both, ends_product=True)
    told = await run(kind, stand.adapter(), [write])
    assert told.result.gone is not None
    assert stand.skus() == []
