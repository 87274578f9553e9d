"""The end of a story: a last full plan of every operation finds nothing left to do."""

from reconcile.contract import Platform
from tallyport.demo.shop import Shop
from tallyport.demo.stores import Store
from tallyport.demo.telling import Teller


def is_settled(platform: Platform, shop: Shop, store: Store, teller: Teller) -> bool:
    """Whether no operation would take an action, and planning itself changed nothing."""
    since = store.serial()
    open_ = 0
    for operation in platform.operations:
        finished = shop.run(operation.value, full=True, plan=True)
        open_ += len(finished.actions)
        teller.check(f"actions {operation.value} would take", 0, len(finished.actions))
        if finished.actions:
            teller.plan(finished.actions)
        if finished.run["error"] is not None:
            open_ += 1
            teller.trouble(f"{operation.value}: {finished.run['error']['message']}")
    written = store.effects(since)
    teller.check("changes made by planning", 0, len(written))
    return open_ == 0 and not written
