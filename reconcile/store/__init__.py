"""SQLAlchemy tables and the queries over them, one module per noun; the only writer of tables."""
