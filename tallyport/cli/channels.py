"""`channel connect|list|check|edit|pause|resume|remove`: connected accounts."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from tallyport.cli.fields import (
    FIELD_SELECTION,
    Field,
    ask_missing,
    member,
    read_assignments,
    settings_text,
    typed_values,
)
from tallyport.cli.lookup import ChannelArgument, ChannelRef, channel
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json, Refusal, RefusedError

CHANNEL_SELECTION = (
    "id name platform { name title } policy isPaused pauseReason pauseMessage ourIdentifier"
    " theirIdentifier buffer cap retentionDays settings guard health mirrorCompleteAt"
    " account { accountId name currency scopes version features checkedAt }"
    " counts { linked unlinked ambiguous broken } attention { reason count }"
    " conditions { type status reason message since }"
    " operations { operation isEnabled isPaused isManualOnly settings nextDueAt lastFinishedAt"
    " schedule { intervalSeconds cron isFull } }"
    " budget { isWaiting goesOnAt message }"
)

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A credential or setting; VALUE may be @FILE, or - for a line of standard input.",
    ),
]
PolicyOption = Annotated[
    str | None,
    typer.Option("--policy", help="What may be written: OBSERVE, ENRICH, ADDITIVE or FULL."),
]
BufferOption = Annotated[
    int | None, typer.Option("--buffer", min=0, help="Units kept back from this channel.")
]
CapOption = Annotated[
    int | None, typer.Option("--cap", help="Most units it is ever told; -1 takes the cap away.")
]
OursOption = Annotated[
    str | None, typer.Option("--our-identifier", help="Our side of the pair that links.")
]
RetentionOption = Annotated[
    str | None,
    typer.Option(
        "--retention-days",
        metavar="DAYS",
        help="Personal data of orders is erased 30, 60 or 90 days after the last shipment or the"
        " cancellation; never keeps it.",
    ),
]
TheirsOption = Annotated[str | None, typer.Option("--their-identifier", help="Their side of it.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "connect")(connect)
    command(app, "list")(list_)
    command(app, "show")(show)
    command(app, "check")(check)
    command(app, "edit")(edit)
    command(app, "pause")(pause)
    command(app, "resume")(resume)
    command(app, "remove")(remove)


def connect(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    platform: Annotated[str, typer.Option("--platform", "-p", help="Such as woocommerce.")],
    said: SetOption = None,
    policy: PolicyOption = None,
    buffer: BufferOption = None,
    our_identifier: OursOption = None,
    their_identifier: TheirsOption = None,
) -> None:
    """Connect an account; it is checked before anything is saved.

    Secrets need not stand on the command line: --set consumer_secret=@file, or =- for standard
    input, or leave them out and be asked. What is missing is named with where it is found.
    """
    credentials, settings = _fields_of(session, platform)
    values = read_assignments(session, said or [])
    names = {field.name for field in credentials}
    known = names | {field.name for field in settings}
    unknown = {key: value for key, value in values.items() if key not in known}
    if unknown:
        typed_values(session, [*credentials, *settings], unknown)  # says which there are
    login = {key: value for key, value in values.items() if key in names}
    login = ask_missing(session, credentials, login)
    chosen = {key: value for key, value in values.items() if key not in names}
    given: dict[str, Json] = {
        "name": name,
        "credentials": {member(platform): typed_values(session, credentials, login)},
    }
    if chosen:
        given["settings"] = {member(platform): typed_values(session, settings, chosen)}
    given |= _said(
        policy=policy.upper() if policy else None,
        buffer=buffer,
        ourIdentifier=our_identifier,
        theirIdentifier=their_identifier,
    )
    payload = session.api.mutate(
        "mutation ($input: ChannelConnectInput!) { channelConnect(input: $input)"
        f" {{ channel {{ {CHANNEL_SELECTION} }} userErrors {{ code message path }} }} }}",
        {"input": given},
    )
    _show(session, payload["channel"], "is connected")


def list_(session: Session) -> None:
    """List the channels with what is linked and what needs attention."""
    rows = list(
        session.api.pages(
            "query ($after: String) { channels(first: 100, after: $after)"
            f" {{ nodes {{ {CHANNEL_SELECTION} }} pageInfo {{ hasNextPage endCursor }} }} }}",
            {},
            ("channels",),
        )
    )
    session.out.answer(rows)
    session.out.table(
        [
            *("Name", "Platform", "Account", "Health", "Policy"),
            *("Linked", "Unlinked", "Ambiguous", "Broken", "Needs attention"),
        ],
        [
            [
                row["name"],
                row["platform"]["title"],
                row["account"]["name"],
                row["health"],
                row["policy"],
                row["counts"]["linked"],
                row["counts"]["unlinked"],
                row["counts"]["ambiguous"],
                row["counts"]["broken"],
                _reasons(row["attention"]),
            ]
            for row in rows
        ],
        empty="No channel is connected. Connect one with `tallyport channel connect`.",
    )


def show(session: Session, *, name: ChannelArgument) -> None:
    """Show one channel: account, settings, conditions, operations."""
    _show(session, _read(session, channel(session, name)))


def check(session: Session, *, name: ChannelArgument) -> None:
    """Ask the account whether the credentials still open it."""
    found = channel(session, name)
    row = _mutate(session, "channelCheck", {"id": found.id})
    _show(session, row, "answers")


def edit(
    session: Session,
    *,
    name: ChannelArgument,
    said: SetOption = None,
    new_name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    policy: PolicyOption = None,
    buffer: BufferOption = None,
    cap: CapOption = None,
    our_identifier: OursOption = None,
    their_identifier: TheirsOption = None,
    retention_days: RetentionOption = None,
    guard: Annotated[
        list[str] | None,
        typer.Option(
            "--guard",
            metavar="NAME=VALUE",
            help="A limit: count, share (such as 0.05) or ceiling; no value means the default.",
        ),
    ] = None,
) -> None:
    """Change a channel: settings, policy, limits, or its credentials (of the same account)."""
    found = channel(session, name)
    credentials, settings = _fields_of(session, found.platform)
    values = read_assignments(session, said or [])
    names = {field.name for field in credentials}
    login = {key: value for key, value in values.items() if key in names}
    chosen = {key: value for key, value in values.items() if key not in names}
    given = _said(
        name=new_name,
        policy=policy.upper() if policy else None,
        buffer=buffer,
        ourIdentifier=our_identifier,
        theirIdentifier=their_identifier,
    )
    if retention_days is not None:
        given["retentionDays"] = _retention(session, retention_days)
    if cap is not None:
        given["cap"] = None if cap < 0 else cap
    if chosen:
        given["settings"] = {member(found.platform): typed_values(session, settings, chosen)}
    if guard:
        given["guard"] = _guard(session, guard)
    if not given and not login:
        raise session.fail("Nothing to change was given.", code="MISSING", exit_code=Exit.USAGE)
    row = None
    if login:
        login = ask_missing(session, credentials, login)
        fresh = {member(found.platform): typed_values(session, credentials, login)}
        row = _mutate(session, "channelReconnect", {"id": found.id, "credentials": fresh})
    if given:
        row = _mutate(session, "channelEdit", {"id": found.id, **given})
    _show(session, row, "is changed")


def pause(session: Session, *, name: ChannelArgument) -> None:
    """Pause a channel: nothing leaves until it is resumed."""
    found = channel(session, name)
    _show(session, _mutate(session, "channelPause", {"id": found.id}), "is paused")


def resume(session: Session, *, name: ChannelArgument) -> None:
    """Resume a paused channel."""
    found = channel(session, name)
    _show(session, _mutate(session, "channelResume", {"id": found.id}), "goes on")


def remove(
    session: Session,
    *,
    name: ChannelArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a channel: its history is kept, nothing is written to the store."""
    found = channel(session, name)
    if not yes:
        typer.confirm(
            f"Remove {found.name}? Nothing is written to the store.", abort=True, err=True
        )
    session.api.mutate(
        "mutation ($input: ChannelInput!) { channelRemove(input: $input)"
        " { channel { id } userErrors { code message path } } }",
        {"input": {"id": found.id}},
    )
    session.out.answer({"removed": found.name})
    session.out.say(f"{found.name} is removed.")


def _fields_of(session: Session, platform: str) -> tuple[list[Field], list[Field]]:
    """Credentials and settings of a platform, as the API declares them."""
    rows = session.api.query(
        f"{{ platforms {{ name credentials {{ {FIELD_SELECTION} }}"
        f" settings {{ {FIELD_SELECTION} }} }} }}"
    )["platforms"]
    for row in rows:
        if row["name"] == platform:
            return (
                [Field.of(each) for each in row["credentials"]],
                [Field.of(each) for each in row["settings"]],
            )
    names = ", ".join(row["name"] for row in rows)
    raise session.fail(f"There is no platform {platform}; there are: {names}.", code="NOT_FOUND")


def _guard(session: Session, said: list[str]) -> dict[str, Json]:
    limits: dict[str, Json] = {}
    for pair in said:
        key, _, value = pair.partition("=")
        if key not in {"count", "share", "ceiling"}:
            raise session.fail(
                "--guard takes count=…, share=… or ceiling=…", code="USAGE", exit_code=Exit.USAGE
            )
        if key != "share" and value and not value.isdecimal():
            raise session.fail(f"{key} is a whole number", code="USAGE", exit_code=Exit.USAGE)
        limits[key] = (value if key == "share" else int(value)) if value else None
    return limits


def _retention(session: Session, said: str) -> int | None:
    if said.lower() == "never":
        return None
    if not said.isdecimal():
        raise session.fail(
            "--retention-days takes 30, 60, 90 or never.", code="USAGE", exit_code=Exit.USAGE
        )
    return int(said)


def _mutate(session: Session, mutation: str, given: Mapping[str, Json]) -> Json:
    simple = mutation in {"channelCheck", "channelPause", "channelResume"}
    kind = "Channel" if simple else mutation[0].upper() + mutation[1:]
    payload = session.api.mutate(
        f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input)"
        f" {{ channel {{ {CHANNEL_SELECTION} }} userErrors {{ code message path }} }} }}",
        {"input": dict(given)},
    )
    return payload["channel"]


def _read(session: Session, found: ChannelRef) -> Json:
    document = (
        f"query ($id: ID!) {{ channel(id: $id) {{ {CHANNEL_SELECTION} }}"
        " orderCounts(channel: $id) { pending imported held skipped unsavable onHold } }"
    )
    answer = session.api.query(document, {"id": found.id})
    row = answer["channel"]
    if row is None:
        raise RefusedError((Refusal("NOT_FOUND", f"{found.name} is gone."),))
    return {**row, "orderCounts": answer["orderCounts"]}


def _show(session: Session, row: Json, what: str = "") -> None:
    session.out.answer(row)
    if what:
        session.out.say(f"{row['name']} {what}.")
    orders = row.get("orderCounts")
    account, counts, days = row["account"], row["counts"], row["retentionDays"]
    session.out.facts(
        {
            "Channel": f"{row['name']} ({row['platform']['title']})",
            "Account": f"{account['name']} ({account['accountId']}), {account['currency']}",
            "Version": account["version"],
            "May": ", ".join(account["scopes"]),
            "Health": row["health"],
            "Needs a person": _reasons(row["attention"]),
            "Paused": (row["pauseMessage"] or "by a person") if row["isPaused"] else None,
            "Policy": row["policy"],
            "Links by": f"{row['ourIdentifier']} = {row['theirIdentifier']}",
            "Buffer": row["buffer"],
            "Cap": row["cap"],
            "Personal data": "kept" if days is None else f"erased {days} days after an order ended",
            "Variants": _numbers(counts),
            "Orders": _numbers(orders) if orders else None,
            "Settings": settings_text(row["settings"]),
        }
    )
    if row["conditions"]:
        session.out.table(
            ["About", "Status", "Reason", "What to know", "Since"],
            [
                [each["type"], each["status"], each["reason"], each["message"], each["since"][:19]]
                for each in row["conditions"]
            ],
        )


def _reasons(attention: Sequence[Json]) -> str:
    return ", ".join(f"{each['reason']} {each['count']}" for each in attention)


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{number} {'on hold' if state == 'onHold' else state}" for state, number in counts.items()
    )


def _said(**values: Json) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value is not None}
