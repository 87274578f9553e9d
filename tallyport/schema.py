"""Prints the GraphQL schema: `python -m tallyport.schema`. Needs no database.

Stands here and not in `api`, which does not know the registry of platforms.
"""

import sys

from adapters.registry import PLATFORMS
from api import build_schema


def schema_text() -> str:
    """The schema of all registered platforms as it is committed."""
    return build_schema(PLATFORMS).as_str().rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
