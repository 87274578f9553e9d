"""A simulated WooCommerce store: its REST API wc/v3 as an ASGI app with state, honest to the wire.

Serves the demo, the tests, and whoever wants to try the product without a store. It must not
import the adapter or the reconciliation core, or a mapping bug would agree with itself.
"""

from adapters.woocommerce.sandbox.app import create_sandbox
from adapters.woocommerce.sandbox.options import Key, SandboxOptions

__all__ = ["Key", "SandboxOptions", "create_sandbox"]
