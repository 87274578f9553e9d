"""A simulated WooCommerce store: its REST API wc/v3 as an ASGI app with state, honest to the wire.

Serves the demo, the tests, and whoever wants to try the product without a store. It must not
import the adapter or the reconciliation core, or a mapping bug would agree with itself.
"""
