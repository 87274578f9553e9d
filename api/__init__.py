"""What the outside sees: GraphQL schema and HTTP application. No business rule lives here."""

from api.app import build_app
from api.limits import Limits
from api.schema import build_schema

__all__ = ["Limits", "build_app", "build_schema"]
