"""The demo: the life of a shop on a sandbox store, with every effect counted in the store's own books."""
