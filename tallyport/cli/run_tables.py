"""Tables of a run: how it ended, what it counted and why, its actions with before and after."""

from datetime import datetime

from tallyport.cli.session import Cell, Session
from tallyport.client import Json
from tallyport.following import ORDER_NUMBERS, actions_of, is_about_orders

_TITLES = {"putOnHold": "Put on hold", "shipmentsPushed": "Shipments pushed"}


def describe(session: Session, run: Json) -> None:
    """Print a run: result, counts with their reasons, guard, what it waits for."""
    error = run["error"]
    wait = run["waitingFor"]
    session.out.facts(
        {
            "Run": run["id"],
            "Operation": f"{run['operation']}{' (full)' if run['isFull'] else ''}",
            "Channel": (run["channel"] or {}).get("name"),
            "Looks for": run["lookup"] and f"order {run['lookup']}",
            "State": run["state"],
            "Result": run["result"],
            "Error": f"{error['code']}: {error['message']}" if error else None,
            "Waits for": wait["message"] if wait else None,
            "Seconds": seconds_of(run),
        }
    )
    report = run["report"]
    names = [name for name in report["parents"] if _any(report, name)]
    if names:
        session.out.table(
            ["", *(name.capitalize() for name in names)],
            [
                [what.capitalize(), *(report[what][name] for name in names)]
                for what in ("parents", "variants")
            ],
        )
    if is_about_orders(run):
        counted = {name: report["orders"][name] for name in ORDER_NUMBERS}
        told = [name for name in ORDER_NUMBERS if counted[name]]
        if told:
            session.out.table(
                ["", *(_TITLES.get(name, name.capitalize()) for name in told)],
                [["Orders", *(counted[name] for name in told)]],
            )
    if report["reasons"]:
        session.out.table(
            ["Reason", "Number"], [[row["code"], row["count"]] for row in report["reasons"]]
        )
    if report["attention"]:
        what = "orders" if is_about_orders(run) else "listings"
        need = "needs" if report["attention"] == 1 else "need"
        session.out.say(f"{report['attention']} {need} a person: tallyport {what} list --attention")
    is_idle = not run["actionCounts"] and not report["attention"]
    if is_idle and run["finishedAt"] is not None and run["error"] is None:
        session.out.say("Nothing had to be done.")
    if run["actionCounts"]:
        session.out.table(
            ["Action", "State", "Reason", "Number"],
            [
                [row["kind"], row["state"], row["reason"], row["count"]]
                for row in run["actionCounts"]
            ],
        )
    is_held = any(row["state"] == "REFUSED" for row in run["actionCounts"])
    for verdict in run["guard"]:
        if is_held and not verdict["isAllowed"]:
            session.out.say(f"Held back by the guard: {verdict['kind']}. {verdict['message']}")
            hint = f"tallyport runs approve {run['id']} --kind {verdict['kind']}"
            session.out.say(f"To carry it out: {hint}")


def _any(report: Json, name: str) -> bool:
    return bool(report["parents"][name] or report["variants"][name])


def show_actions(session: Session, run_id: str, *, limit: int | None = None) -> None:
    """Print actions with before, after and reason."""
    rows: list[list[Cell]] = []
    cut = False
    about = "SKU"
    for action in actions_of(session.api, run_id):
        if limit is not None and len(rows) >= limit:
            cut = True
            break
        outcome = action["outcome"]
        about = "SKU" if action["remoteOrder"] is None else "Order"
        rows.append(
            [
                action["kind"],
                subject(action),
                changes_text(action["changes"]),
                action["reason"]["message"],
                action["state"],
                _outcome(action, outcome),
            ]
        )
    if rows:
        session.out.table(["Action", about, "Change", "Why", "State", "Outcome"], rows)
    if cut:
        session.out.say(f"... and more; all of them with: tallyport runs show {run_id} --all")


def _outcome(action: Json, outcome: Json) -> str | None:
    if outcome is None:
        return None
    # Of what the guard held back the reason is the same for all, and is said once above.
    if action["state"] == "REFUSED":
        return str(outcome["code"])
    return f"{outcome['code']}: {outcome['message']}"


def subject(action: Json) -> str:
    """The SKU, or the number of the order, an action is about."""
    if action["remoteOrder"] is not None:
        shipment = action["shipment"] or {}
        return f"{action['remoteOrder']['number']} {shipment.get('trackingNumber', '')}".strip()
    for part in (action["variant"], action["listing"]):
        if part is not None:
            return str(part["sku"])
    return str(action["remoteParent"] or "")


def changes_text(changes: Json) -> str:
    """Before and after of each field, a line for each."""
    return "\n".join(
        f"{change['field']} {_value(change['before'])} → {_value(change['after'])}"
        for change in changes
    )


def seconds_of(run: Json) -> float | None:
    """How long a run took, where it has ended."""
    if run["startedAt"] is None or run["finishedAt"] is None:
        return None
    took = datetime.fromisoformat(run["finishedAt"]) - datetime.fromisoformat(run["startedAt"])
    return round(took.total_seconds(), 1)


def value_text(value: Json) -> str:
    """A value as people write it: money with its currency, lists and maps without brackets."""
    match value:
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case {"value": number, "unit": unit}:
            return f"{number} {unit}"
        case {"code": code, "message": _}:
            # A hold; its words are the reason of the action.
            return str(code)
        case dict():
            return ", ".join(f"{name}: {value_text(part)}" for name, part in value.items())
        case list() if value and all(isinstance(part, list) for part in value):
            return ", ".join(" > ".join(map(value_text, part)) for part in value)
        case list():
            return ", ".join(map(value_text, value))
        case True | False:
            return "yes" if value else "no"
        case None:
            return "-"
        case _:
            return str(value)


def _value(value: Json) -> str:
    text = value_text(value)
    return text if len(text) <= 60 else text[:57] + "..."
