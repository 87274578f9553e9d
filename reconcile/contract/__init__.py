"""The whole promise an adapter makes: Platform, Adapter, writes and their progress, the errors.

A platform is one `Platform` record and one `Adapter` class. What a platform cannot do is absent
from the record, with the reason; the base class answers `UnsupportedError` for whatever is not
overridden, and the contract suite checks that the two agree.
"""

from reconcile.contract.adapter import (
    ORDER_WRITES,
    WRITES,
    Adapter,
    AdapterCall,
    OrderCall,
)
from reconcile.contract.catalogs import (
    CatalogError,
    CatalogLayout,
    CatalogRow,
    CatalogStream,
    CsvRows,
)
from reconcile.contract.errors import (
    AdapterError,
    Effect,
    GoneError,
    RateLimitedError,
    RejectedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
    UnsupportedError,
)
from reconcile.contract.orders import (
    OrderField,
    OrderPage,
    OrderReadResult,
    OrderSupport,
    OrderWindow,
    OrderWrite,
    RejectedOrder,
    ShipmentFieldForm,
    ShipmentLine,
    ShipmentWrite,
)
from reconcile.contract.platform import (
    ActionSupport,
    Identifier,
    Platform,
    PresenceForm,
)
from reconcile.contract.reading import (
    AccountInfo,
    Gone,
    ListingPage,
    ReadResult,
)
from reconcile.contract.settings import (
    Settings,
    SettingSpec,
    setting,
    setting_specs,
)
from reconcile.contract.transport import (
    BudgetObservation,
    Exchange,
    Transport,
)
from reconcile.contract.writing import (
    Confirmation,
    ConfirmState,
    Progress,
    Result,
    Sending,
    Step,
    VariantWrite,
    Write,
)

__all__ = [
    "ORDER_WRITES",
    "WRITES",
    "AccountInfo",
    "ActionSupport",
    "Adapter",
    "AdapterCall",
    "AdapterError",
    "BudgetObservation",
    "CatalogError",
    "CatalogLayout",
    "CatalogRow",
    "CatalogStream",
    "ConfirmState",
    "Confirmation",
    "CsvRows",
    "Effect",
    "Exchange",
    "Gone",
    "GoneError",
    "Identifier",
    "ListingPage",
    "OrderCall",
    "OrderField",
    "OrderPage",
    "OrderReadResult",
    "OrderSupport",
    "OrderWindow",
    "OrderWrite",
    "Platform",
    "PresenceForm",
    "Progress",
    "RateLimitedError",
    "ReadResult",
    "RejectedError",
    "RejectedOrder",
    "Result",
    "Sending",
    "SettingSpec",
    "Settings",
    "ShipmentFieldForm",
    "ShipmentLine",
    "ShipmentWrite",
    "Step",
    "Transport",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedResponseError",
    "UnsupportedError",
    "VariantWrite",
    "Write",
    "setting",
    "setting_specs",
]
