"""What WooCommerce offers for orders: filters, fields of templates, when one is closed."""

from adapters.woocommerce.settings import (
    GetOrdersSettings,
    SyncOrdersSettings,
    order_statuses,
)
from reconcile.contract import OrderField, OrderSupport, Settings, ShipmentFieldForm
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.order_types import (
    CloseWhen,
    OrderFacet,
    OrderFilter,
    OurOrderField,
    ShipmentField,
)
from reconcile.core.types import Operation

ORDER_FIELDS = (
    OrderField("billing_email", OurOrderField.EMAIL, "Billing e-mail"),
    OrderField("billing", OurOrderField.BILLING_ADDRESS, "Billing address"),
    OrderField("shipping", OurOrderField.SHIPPING_ADDRESS, "Shipping address"),
    OrderField("customer_note", OurOrderField.NOTE, "Customer provided note"),
    OrderField("shipping_method_title", OurOrderField.SHIPPING_TEXT, "Shipping method title"),
    OrderField("payment_status", OurOrderField.PAYMENT_STATUS, "Payment (date paid, refunds)"),
    OrderField("total", OurOrderField.TOTAL, "Order total"),
    OrderField("meta_data", OurOrderField.CUSTOM_FIELDS, "Custom fields"),
    OrderField("line_meta_data", OurOrderField.LINE_CUSTOM_FIELDS, "Custom fields of lines"),
)
"""Weights of lines are not among them: an order of WooCommerce has none."""

SHIPMENT_FIELDS = (
    ShipmentFieldForm(ShipmentField.TRACKING_NUMBER, "tracking_number", "Tracking number"),
    ShipmentFieldForm(ShipmentField.CARRIER, "carrier", "Carrier (tracking provider)"),
    ShipmentFieldForm(ShipmentField.SERVICE, "service", "Service (order note only)"),
    ShipmentFieldForm(ShipmentField.TRACKING_URL, "tracking_url", "Tracking link"),
    ShipmentFieldForm(
        ShipmentField.NOTIFY_CUSTOMER,
        "notify_customer",
        "Tell the customer (order fulfillments only)",
    ),
)

ORDER_TEMPLATES = {
    Operation.GET_ORDERS: Template(
        tuple(MappingRule(item.theirs, item.ours) for item in ORDER_FIELDS)
    ),
    Operation.SYNC_ORDERS: Template(
        tuple(MappingRule(item.ours, item.theirs) for item in SHIPMENT_FIELDS)
    ),
}


def _filter(settings: Settings) -> OrderFilter:
    if not isinstance(settings, GetOrdersSettings):
        raise TypeError("settings of another platform or operation")
    return OrderFilter({"status": order_statuses(settings.statuses)}, settings.days or None)


def _closes(settings: Settings) -> frozenset[CloseWhen]:
    if not isinstance(settings, SyncOrdersSettings):
        raise TypeError("settings of another platform or operation")
    return frozenset({CloseWhen.SHIPPED}) if settings.complete_shipped else frozenset()


ORDERS = OrderSupport(
    facets=(OrderFacet("status", "order status", "StatusNotSelected"),),
    filter=_filter,
    fields=ORDER_FIELDS,
    shipment_fields=SHIPMENT_FIELDS,
    shipping_text=(
        "shipping method, such as flat_rate, or with its zone's instance flat_rate:3, which wins; "
        "empty for orders without a method"
    ),
    closes=_closes,
)
