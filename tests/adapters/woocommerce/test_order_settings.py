"""Settings of the two operations on orders."""

import pytest

from adapters.registry import PLATFORMS
from adapters.woocommerce.settings import GetOrdersSettings, SyncOrdersSettings, order_statuses
from reconcile.core.order_types import CloseWhen


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("processing", {"processing"}),
        (" Processing , wc-on-hold,", {"processing", "on-hold"}),
        ("On hold, pending_payment", {"on-hold", "pending"}),
        ("canceled,cancelled", {"cancelled"}),
        ("awaiting-shipment, wc-pre_ordered", {"awaiting-shipment", "pre_ordered"}),
        ("any", set()),
        ("any, processing", set()),
    ],
)
def test_statuses(given: str, expected: set[str]) -> None:
    """Statuses are understood as the store writes them and as its admin shows them."""
    assert order_statuses(given) == expected


@pytest.mark.parametrize("given", ["", " , ", "käse", "processing;completed", "a" * 80])
def test_statuses_that_are_none(given: str) -> None:
    """What is no status is refused with those that there are."""
    with pytest.raises(ValueError, match=r"status|Name") as raised:
        GetOrdersSettings(statuses=given)
    assert "processing" in str(raised.value) or "any" in str(raised.value)


@pytest.mark.parametrize("given", ["checkout-draft", "Draft", "trash"])
def test_no_orders_cannot_be_chosen(given: str) -> None:
    """An unfinished checkout and the trash are no orders to import."""
    with pytest.raises(ValueError, match="no status"):
        GetOrdersSettings(statuses=given)


def test_days() -> None:
    """Nought is no limit; less than that makes no sense."""
    orders = PLATFORMS["woocommerce"].orders
    assert orders is not None
    assert orders.filter(GetOrdersSettings(days=0)).days is None
    assert orders.filter(GetOrdersSettings(statuses="on-hold", days=30)).days == 30
    assert orders.filter(GetOrdersSettings(statuses="any")).accepted == {"status": frozenset()}
    with pytest.raises(ValueError, match="Days"):
        GetOrdersSettings(days=-1)


def test_orders_are_completed_only_when_asked() -> None:
    """Completing a shipped order is off until chosen, and nothing else closes one."""
    orders = PLATFORMS["woocommerce"].orders
    assert orders is not None
    assert orders.closes(SyncOrdersSettings()) == frozenset()
    assert orders.closes(SyncOrdersSettings(complete_shipped=True)) == {CloseWhen.SHIPPED}
    assert not orders.acknowledges(GetOrdersSettings())


def test_settings_of_another_platform_are_refused() -> None:
    """A filter is made from its own settings only."""
    orders = PLATFORMS["woocommerce"].orders
    assert orders is not None
    with pytest.raises(TypeError):
        orders.filter(SyncOrdersSettings())
    with pytest.raises(TypeError):
        orders.closes(GetOrdersSettings())
