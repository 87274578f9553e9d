"""The demo: the life of a shop on a sandbox store, its effects counted in the store's books."""
