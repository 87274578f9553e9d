"""Everything that knows a platform: one folder each, and the few things they share."""
