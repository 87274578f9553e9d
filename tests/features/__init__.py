"""Feature tests: the whole product through its API, its command line and the sandboxes' books."""
