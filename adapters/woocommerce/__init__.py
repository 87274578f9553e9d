"""The WooCommerce platform."""
