"""Limits on a GraphQL document: depth, aliases, tokens and the number of objects it may ask for.

One walk with a memory per fragment, so that fragments nested in fragments cannot make the check
itself expensive. Introspection counts like everything else, except that it costs no objects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    get_named_type,
)
from strawberry.extensions import SchemaExtension


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for."""

    body_bytes: int = 1024 * 1024
    """Size of a request to /graphql; default 1 MiB, room for 1,000 items in one mutation."""
    import_bytes: int = 2 * 1024**3
    """Size of a catalog file; default 2 GiB. It is streamed, so this guards the disk only."""
    depth: int = 16
    """Nesting of a document; the standard introspection query needs 14."""
    aliases: int = 30
    """Fields with an alias in a document, fragments counted each time they are used."""
    tokens: int = 4000
    """Words and brackets of a document; what a frontend's largest query takes several times."""
    objects: int = 100_000
    """Objects a document may return at most, computed from its page sizes before anything runs."""


PAGE_DEFAULT = 25
PAGE_MAXIMUM = 100
RESULTS_MAXIMUM = 1000
"""Objects that one mutation takes, and with that the most results it answers."""
EXPLAIN_OBJECTS = 2000
"""What an explanation counts for: it runs the planner, where other objects are a row of a list."""
EXPLANATIONS = frozenset({"Explanation", "ItemExplanation", "OrderExplanation", "OrderMatch"})
PARTS: Mapping[str, int] = {
    "Order.lines": 10,
    "Order.shipments": 5,
    "RemoteOrder.lines": 10,
    "Shipment.lines": 10,
}
"""How many objects are expected in lists that come whole, being parts of one object."""


_COMPOSITE = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True, slots=True)
class _Weight:
    depth: int = 0
    aliases: int = 0
    objects: int = 0

    def beside(self, other: "_Weight") -> "_Weight":
        return _Weight(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.objects + other.objects,
        )


class _Scale:
    """Weighs the selections of one document."""

    def __init__(self, context: ValidationContext) -> None:
        self._schema = context.schema
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node
            for node in context.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, _Weight] = {}

    def operation(self, node: OperationDefinitionNode) -> _Weight:
        root = self._schema.get_root_type(node.operation)
        return self._selections(node.selection_set, root)

    def _selections(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> _Weight:
        total = _Weight()
        for node in selections.selections:
            match node:
                case FieldNode():
                    weight = self._field(node, parent)
                case InlineFragmentNode():
                    condition = node.type_condition
                    inner = self._schema.get_type(condition.name.value) if condition else parent
                    weight = self._selections(node.selection_set, inner)
                case FragmentSpreadNode():
                    weight = self._fragment(node.name.value)
                case _:
                    weight = _Weight()
            total = total.beside(weight)
        return total

    def _fragment(self, name: str) -> _Weight:
        if name not in self._known:
            fragment = self._fragments.get(name)
            # Unknown and circular fragments are reported by the rules of the language.
            self._known[name] = _Weight()
            if fragment is not None:
                condition = self._schema.get_type(fragment.type_condition.name.value)
                self._known[name] = self._selections(fragment.selection_set, condition)
        return self._known[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Weight:
        alias = 1 if node.alias else 0
        if node.selection_set is None:
            return _Weight(1, alias, 0)
        kind = None
        if isinstance(parent, _COMPOSITE):
            field = parent.fields.get(node.name.value)
            kind = get_named_type(field.type) if field else None
        inner = self._selections(node.selection_set, kind)
        is_introspection = kind is None or kind.name.startswith("__")
        own = EXPLAIN_OBJECTS if kind is not None and kind.name in EXPLANATIONS else 1
        rows = 1 if parent is None else _rows(node, parent)
        parts = 1 if parent is None else PARTS.get(f"{parent.name}.{node.name.value}", 1)
        # A page is one object however long it is; explanations are made one by one.
        total = (own + inner.objects) * rows if own > 1 else own + inner.objects * rows
        total *= parts
        return _Weight(1 + inner.depth, alias + inner.aliases, 0 if is_introspection else total)


def _rows(node: FieldNode, parent: GraphQLNamedType) -> int:
    """How often what is below a field can occur: the size of a page, or of a bulk command."""
    field = parent.fields.get(node.name.value) if isinstance(parent, _COMPOSITE) else None
    if field is None:
        return 1
    size = field.args.get("first")
    if size is not None:
        given = next((each for each in node.arguments or () if each.name.value == "first"), None)
        if given is None:
            return int(size.default_value)
        # Of a variable the value is not known here; a page below zero must not pay for others.
        if isinstance(given.value, IntValueNode):
            return max(0, min(int(given.value.value[:6]), PAGE_MAXIMUM))
        return PAGE_MAXIMUM
    if parent.name.endswith("Payload") and node.name.value == "results":
        return RESULTS_MAXIMUM
    return 1


def limits_rule(limits: Limits) -> type[ValidationRule]:
    """A validation rule that refuses documents over the limits."""

    class LimitsRule(ValidationRule):
        """Refuses documents that are too deep, too wide or ask for too much."""

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            scale = _Scale(context)
            for node in context.document.definitions:
                if isinstance(node, OperationDefinitionNode):
                    for message in _excesses(scale.operation(node), limits):
                        context.report_error(GraphQLError(message, extensions={"code": "TOO_MUCH"}))

    return LimitsRule


def _excesses(weight: _Weight, limits: Limits) -> Iterator[str]:
    if weight.depth > limits.depth:
        yield f"The query is {weight.depth} levels deep; at most {limits.depth} are allowed."
    if weight.aliases > limits.aliases:
        yield f"The query uses {weight.aliases} aliases; at most {limits.aliases} are allowed."
    if weight.objects > limits.objects:
        yield (
            f"The query may return {weight.objects} objects; at most {limits.objects} are allowed. "
            "Ask for smaller pages with `first`, or for fewer levels at once."
        )


class LimitsExtension(SchemaExtension):
    """Applies the limits to every operation, before validation and execution."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rule = limits_rule(limits)

    def on_operation(self) -> Iterator[None]:
        """Limit the tokens of the parser and add the rule to the validation."""
        context = self.execution_context
        context.parse_options["max_tokens"] = self._limits.tokens
        context.validation_rules = (self._rule, *context.validation_rules)
        yield
