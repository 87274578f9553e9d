"""Channels, operations and platforms through the API."""

import pytest

from api import build_schema
from reconcile.deps import Deps
from tests.api.asking import CREDENTIALS, Client, connected
from tests.store_double import DoubleStore

pytestmark = pytest.mark.anyio

CHANNEL = "query Q($id: ID!) { channel(id: $id) { %s } }"


async def test_platforms_say_what_they_can_and_cannot(api: Client) -> None:
    """A platform lists operations with reasons, actions, linking pairs, fields and settings."""
    data = await api.ask(
        "{ platforms { name title operations { operation isSupported reason settings "
        "{ inputName type choices default isRequired } } actions { kind isSupported batchSize } "
        "linkingPairs { ours { name } theirs { name title } } fields { name group role level } "
        "templates { operation isDefault rules { source target isEnabled } } "
        "presences { presence explanation } "
        "credentials { name inputName title help isSecret isRequired } } }"
    )

    (platform,) = data["platforms"]
    operations = {each["operation"]: each for each in platform["operations"]}
    assert operations["GET_ORDERS"]["isSupported"] is False
    assert operations["GET_ORDERS"]["reason"] == "The double has no orders."
    assert operations["IMPORT_LISTINGS"]["settings"] == [
        {
            "inputName": "mode",
            "type": "TEXT",
            "choices": ["create", "create_and_overwrite"],
            "default": "create",
            "isRequired": False,
        },
        {
            "inputName": "pauseNew",
            "type": "YES_NO",
            "choices": [],
            "default": False,
            "isRequired": False,
        },
    ]
    assert platform["credentials"][1] == {
        "name": "secret",
        "inputName": "secret",
        "title": "Secret",
        "help": "Settings, then Advanced, then Secrets.",
        "isSecret": True,
        "isRequired": True,
    }
    assert {"ours": {"name": "upc"}, "theirs": {"name": "barcode", "title": "Barcode"}} in platform[
        "linkingPairs"
    ]
    one = await api.ask('{ platform(name: "double") { title } }')
    none = await api.ask('{ platform(name: "nothing") { title } }')
    assert (one["platform"], none["platform"]) == ({"title": "Double"}, None)


async def test_a_channel_is_connected_and_shown(api: Client, store: DoubleStore) -> None:
    """Connecting checks the account; the channel shows everything but the credentials."""
    given = {
        "name": "shop",
        "credentials": CREDENTIALS,
        "settings": {"double": {"color": "blue"}},
        "policy": "ENRICH",
        "buffer": 2,
        "guard": {"count": 5},
        "ourIdentifier": "upc",
        "theirIdentifier": "barcode",
    }

    payload = await api.do(
        "channelConnect",
        given,
        "channel { name policy buffer cap guard settings ourIdentifier theirIdentifier isPaused "
        "account { accountId currency } platform { name } counts { linked unlinked } health "
        "operations { operation isEnabled schedule { cron } template { isDefault } } "
        "conditions { reason } attention { reason } recentRuns { id } budget { isWaiting } }",
    )

    channel = payload["channel"]
    assert channel["account"] == {"accountId": "account-main", "currency": "EUR"}
    assert channel["settings"] == {"color": "blue", "pages": 3}
    assert channel["guard"] == {"count": 5}
    assert (channel["policy"], channel["buffer"], channel["cap"]) == ("ENRICH", 2, None)
    assert channel["counts"] == {"linked": 0, "unlinked": 0}
    assert channel["health"] == "HEALTHY"
    assert channel["budget"] == {"isWaiting": False}
    assert len(channel["operations"]) == 4
    assert store.requests == ["check"]


@pytest.mark.parametrize(
    ("credentials", "code", "path"),
    [
        ({"store": "main", "secret": "wrong"}, "UNAUTHORIZED", "credentials"),
        ({"store": "a/b", "secret": "right"}, "INVALID", "credentials"),
    ],
)
async def test_wrong_credentials_are_refused(
    api: Client, credentials: dict[str, str], code: str, path: str
) -> None:
    """A refused connect says why, where in the input, and saves nothing."""
    given = {"name": "shop", "credentials": {"double": credentials}}

    (error, *_) = await api.refusal("channelConnect", given)
    channels = await api.ask("{ channels { nodes { id } } }")

    assert error["code"] == code
    assert error["path"][:2] == ["input", path]
    assert channels == {"channels": {"nodes": []}}


async def test_the_same_name_or_account_twice_is_a_conflict(api: Client) -> None:
    """A second channel with the name of the first is refused."""
    await connected(api)

    errors = await api.refusal("channelConnect", {"name": "shop", "credentials": CREDENTIALS})

    assert {error["code"] for error in errors} == {"CONFLICT"}


async def test_a_channel_is_found_by_id_and_name(api: Client) -> None:
    """The same channel answers to its id, its name, the list and `node`."""
    number = await connected(api)

    data = await api.ask(
        'query Q($id: ID!) { a: channel(id: $id) { id } b: channel(name: "shop") { id } '
        'c: channels(where: {name: "shop", platform: "double"}) { nodes { id } } '
        'd: node(id: $id) { __typename id } e: channel(name: "other") { id } }',
        id=number,
    )

    assert data == {
        "a": {"id": number},
        "b": {"id": number},
        "c": {"nodes": [{"id": number}]},
        "d": {"__typename": "Channel", "id": number},
        "e": None,
    }


async def test_edit_changes_only_what_is_stated(api: Client) -> None:
    """What an edit leaves out stays; null is refused where there is no such thing."""
    number = await connected(api)
    given = {
        "id": number,
        "name": "store",
        "cap": 10,
        "settings": {"double": {"pages": 5}},
        "guard": {"share": "0.1", "ceiling": None},
    }

    payload = await api.do("channelEdit", given, "channel { name cap buffer settings guard }")
    (error,) = await api.refusal("channelEdit", {"id": number, "buffer": None})

    assert payload["channel"] == {
        "name": "store",
        "cap": 10,
        "buffer": 0,
        "settings": {"color": "red", "pages": 5},
        "guard": {"share": "0.1"},
    }
    assert (error["code"], error["path"]) == ("INVALID", ["input", "buffer"])


async def test_reconnect_takes_only_the_same_account(api: Client, store: DoubleStore) -> None:
    """New credentials of the same account are taken, those of another one refused."""
    number = await connected(api)
    store.secret = "new"
    right = {"id": number, "credentials": {"double": {"store": "main", "secret": "new"}}}
    other = {"id": number, "credentials": {"double": {"store": "other", "secret": "right"}}}

    payload = await api.do("channelReconnect", right, "channel { id isPaused }")
    (error,) = await api.refusal("channelReconnect", other)

    assert payload["channel"] == {"id": number, "isPaused": False}
    assert error["code"] == "OTHER_ACCOUNT"


async def test_check_pause_resume_and_remove(api: Client, store: DoubleStore) -> None:
    """The life of a channel, each step visible in the answer."""
    number = await connected(api)
    one = {"id": number}

    checked = await api.do("channelCheck", one, "account { name currency } channel { id }")
    paused = await api.do("channelPause", one, "channel { isPaused health }")
    (again,) = await api.refusal("channelPause", one)
    resumed = await api.do("channelResume", one, "channel { isPaused health }")
    removed = await api.do("channelRemove", one, "channel { removedAt }")
    listed = await api.ask(
        "{ a: channels { nodes { id } } "
        "b: channels(where: {includeRemoved: true}) { nodes { id } } }"
    )

    assert checked["account"]["currency"] == "EUR"
    assert paused["channel"] == {"isPaused": True, "health": "PAUSED"}
    assert again["code"] == "WRONG_STATE"
    assert resumed["channel"] == {"isPaused": False, "health": "HEALTHY"}
    assert removed["channel"]["removedAt"] is not None
    assert listed == {"a": {"nodes": []}, "b": {"nodes": [{"id": number}]}}


async def test_a_revoked_login_shows_as_a_condition(api: Client, store: DoubleStore) -> None:
    """T1: a check with revoked credentials is refused and leaves the channel paused, with why."""
    number = await connected(api)
    store.secret = "changed"

    (error, *_) = await api.refusal("channelCheck", {"id": number})
    data = await api.ask(
        CHANNEL % "isPaused pauseReason health conditions { status reason message }", id=number
    )

    assert error["code"] == "UNAUTHORIZED"
    assert data["channel"]["health"] == "PAUSED"
    assert data["channel"]["conditions"][0]["status"] == "ATTENTION"


async def test_operations_are_configured(api: Client) -> None:
    """Switches and settings of one operation change; settings of another are refused."""
    number = await connected(api)
    given = {
        "channel": number,
        "operation": "IMPORT_LISTINGS",
        "isPaused": True,
        "settings": {"doubleImportListings": {"pauseNew": True}},
    }

    payload = await api.do("operationConfigure", given, "operation { isEnabled isPaused settings }")
    given["operation"] = "SYNC_LISTINGS"
    (error,) = await api.refusal("operationConfigure", given)
    (unsupported,) = await api.refusal(
        "operationConfigure", {"channel": number, "operation": "GET_ORDERS", "isEnabled": True}
    )

    assert payload["operation"] == {
        "isEnabled": True,
        "isPaused": True,
        "settings": {"mode": "create", "pause_new": True},
    }
    assert (error["code"], error["path"]) == ("INVALID", ["input", "settings"])
    assert unsupported["code"] == "UNSUPPORTED"


async def test_operations_are_scheduled(api: Client) -> None:
    """An interval, a cron expression, none; a bad expression is refused with its place."""
    number = await connected(api)
    where = {"channel": number, "operation": "SYNC_LISTINGS"}
    selection = "operation { nextDueAt schedule { intervalSeconds cron isFull } }"

    every = await api.do(
        "operationSchedule", {**where, "schedule": {"intervalSeconds": 900}}, selection
    )
    cron = await api.do(
        "operationSchedule",
        {**where, "schedule": {"cron": "0 3 * * *"}, "isFull": True},
        selection,
    )
    never = await api.do("operationSchedule", {**where, "schedule": None}, selection)
    (error, *_) = await api.refusal(
        "operationSchedule", {**where, "schedule": {"cron": "every day"}}
    )

    assert every["operation"]["schedule"] == {
        "intervalSeconds": 900,
        "cron": None,
        "isFull": False,
    }
    assert cron["operation"]["schedule"]["cron"] == "0 3 * * *"
    assert cron["operation"]["schedule"]["isFull"] is True
    assert cron["operation"]["nextDueAt"] is not None
    assert never["operation"] == {"nextDueAt": None, "schedule": None}
    assert error["code"] == "INVALID"


async def test_templates_are_set_tried_and_reset(api: Client) -> None:
    """A valid template is taken, an invalid one refused by field, a dry run changes nothing."""
    number = await connected(api)
    where = {"channel": number, "operation": "SYNC_LISTINGS"}
    price = {
        "source": "list_price",
        "target": "price",
        "mappingSet": {"name": "m", "cases": [{"field": "brand", "equals": "X", "then": None}]},
    }
    selection = "operation { template { isDefault rules { source target isEnabled } } }"

    done = await api.do(
        "templateSet", {**where, "rules": [{"source": "quantity", "target": "quantity"}]}, selection
    )
    tried = await api.refusal(
        "templateSet", {**where, "dryRun": True, "rules": [{"source": "x", "target": "price"}]}
    )
    refused = await api.refusal("templateSet", {**where, "rules": [price, price]})
    kept = await api.ask(
        CHANNEL % "operations { operation template { isDefault rules { target } } }", id=number
    )
    reset = await api.do("templateReset", where, selection)

    assert done["operation"]["template"] == {
        "isDefault": False,
        "rules": [{"source": "quantity", "target": "quantity", "isEnabled": True}],
    }
    assert tried[0]["path"][:2] == ["input", "rules"]
    assert refused[0]["message"]
    templates = {each["operation"]: each["template"] for each in kept["channel"]["operations"]}
    assert templates["SYNC_LISTINGS"] == {"isDefault": False, "rules": [{"target": "quantity"}]}
    assert reset["operation"]["template"]["isDefault"] is True


async def test_an_unknown_channel_is_not_found(api: Client) -> None:
    """Every mutation of a channel that is no more says so with its place."""
    number = await connected(api)
    await api.do("channelRemove", {"id": number}, "")
    ghost = "Q2hhbm5lbDo5OTk5"

    for mutation in ("channelCheck", "channelPause", "channelResume", "channelRemove"):
        (error,) = await api.refusal(mutation, {"id": ghost})
        assert error["code"] == "NOT_FOUND"
    (edit,) = await api.refusal("channelEdit", {"id": ghost, "name": "x"})
    assert edit["code"] == "NOT_FOUND"
    assert (await api.ask(CHANNEL % "id", id=ghost)) == {"channel": None}


async def test_credentials_are_readable_nowhere(deps: Deps) -> None:
    """No field of the schema gives credentials back."""
    text = build_schema(deps.platforms).as_str()
    channel = text.split("type Channel implements Node {")[1].split("\n}")[0]

    assert "credential" not in channel.lower()
