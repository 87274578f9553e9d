"""Mapping templates as JSON in `operations.template`, and the one that holds for a channel."""

from collections.abc import Mapping
from typing import Any

from reconcile.contract import Platform
from reconcile.core.mapping import Case, MappingRule, MappingSet, Template
from reconcile.core.types import Operation


def template_to_json(template: Template) -> dict[str, Any]:
    """A template in its stored form."""
    return {
        "rules": [
            {
                "source": rule.source,
                "target": rule.target,
                "enabled": rule.enabled,
                "mapping_set": None if rule.mapping_set is None else _set_json(rule.mapping_set),
            }
            for rule in template.rules
        ]
    }


def _set_json(mapping_set: MappingSet) -> dict[str, Any]:
    return {
        "name": mapping_set.name,
        "keep_unmatched": mapping_set.keep_unmatched,
        "cases": [
            {"field": case.field, "equals": case.equals, "then": case.then}
            for case in mapping_set.cases
        ],
    }


def template_from_json(stored: Mapping[str, Any]) -> Template:
    """A template from its stored form."""
    return Template(
        tuple(
            MappingRule(
                source=rule["source"],
                target=rule["target"],
                enabled=rule["enabled"],
                mapping_set=None if rule["mapping_set"] is None else _set(rule["mapping_set"]),
            )
            for rule in stored["rules"]
        )
    )


def _set(stored: Mapping[str, Any]) -> MappingSet:
    return MappingSet(
        name=stored["name"],
        keep_unmatched=stored["keep_unmatched"],
        cases=tuple(
            Case(field=case["field"], equals=case["equals"], then=case["then"])
            for case in stored["cases"]
        ),
    )


def effective_template(
    platform: Platform, operation: Operation, stored: Mapping[str, Any] | None
) -> Template:
    """The channel's own template, else the platform's default, else an empty one."""
    if stored is not None:
        return template_from_json(stored)
    return platform.templates.get(operation, Template())
