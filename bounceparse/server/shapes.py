"""What goes into the HTTP API and what comes out of it. The OpenAPI document is made from these shapes, so they cannot disagree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from bounceparse import limits
from bounceparse.ledger import Alert, Event
from bounceparse.model import Action, Bounce, Certainty, Fault, Kind, Scope, Suppression
from bounceparse.record import Record

REPLY: Final = 8_192  # characters of one; limits.DIAGNOSTIC of them are read
REPLIES: Final = 1_000  # of one request
ADDRESSES: Final = 10_000  # of one request
EVENTS: Final = 1_000  # of one answer

Moment = Annotated[datetime, Meta(tz=True)]
Short = Annotated[str, Meta(max_length=limits.FIELD)]
Address = Annotated[
    str,
    Meta(
        max_length=254,  # RFC 5321 4.5.3.1.3, without the angle brackets
        pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@"
        r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?){0,20}$",
        description="An address; its domain in ASCII form.",
        examples=["ann@example.org"],
    ),
]


class Problem(Struct, frozen=True):
    """What was wrong."""

    error: str


class Records(Struct, frozen=True):
    """The records of one message, one for each recipient and at least one."""

    records: list[Record]


class Replies(Struct, frozen=True, forbid_unknown_fields=True):
    """Bare SMTP replies, or lines that quote one."""

    replies: Annotated[list[Annotated[str, Meta(max_length=REPLY)]], Meta(min_length=1, max_length=REPLIES)]


class Judged(Struct, frozen=True):
    """The verdict on one reply, and the facts that were read from it."""

    bounce: Bounce
    reason: str
    fault: Fault
    certainty: Certainty
    rule: str
    recipient: str
    status: str
    reply_code: str
    command: str
    diagnostic: str
    blocklist: str
    retry_after: int | None


class Verdicts(Struct, frozen=True):
    """The verdicts, in the order of the replies."""

    verdicts: list[Judged]


class Decided(Struct, frozen=True):
    """What to do with one address."""

    address: str
    action: Action
    policy: str
    because: str
    until: datetime | None
    scope: Scope
    key: str
    kind: Kind
    reason: str


class Decisions(Struct, frozen=True):
    """What to do with each address of a message, and whether it was done."""

    applied: bool
    decisions: list[Decided]


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses that mail is about to go to, and from which list or sender."""

    addresses: Annotated[list[Annotated[str, Meta(max_length=limits.FIELD)]], Meta(min_length=1, max_length=ADDRESSES)]
    of_list: Short | None = field(default=None, name="list")
    sender: Short | None = None


class Checked(Struct, frozen=True):
    """The addresses that are not to be written to, as they were asked about, and why."""

    suppressed: dict[str, Suppression]


class New(Struct, frozen=True, forbid_unknown_fields=True):
    """A suppression that somebody wants: for one list or one sender where that is named, else for all."""

    reason: Annotated[str, Meta(pattern=r"^[a-z][a-z_]{0,39}$")] = "manual"
    of_list: Short = field(default="", name="list")
    sender: Short = ""
    until: Moment | None = None
    why: Short = ""


class Events(Struct, frozen=True):
    """Events, oldest first; when there are `more`, ask again with `since` as the time of the last one, and skip the keys that you have."""

    events: list[Event]
    more: bool


class Alerts(Struct, frozen=True):
    """Trouble that the sender has to mend."""

    alerts: tuple[Alert, ...]


class Taken(Struct, frozen=True):
    """What became of the events of a mail service."""

    recorded: int
    replayed: int
    ignored: int


class Health(Struct, frozen=True):
    """How the server is."""

    status: Literal["ok", "down"]


class OfParse(Struct, frozen=True, forbid_unknown_fields=True):
    """`origin` says where the message comes from."""

    origin: Short = ""


class OfDecide(Struct, frozen=True, forbid_unknown_fields=True):
    """`apply` records the message and does what was decided, which needs the scope `write`; `list` and `sender` say what the message answers."""

    apply: bool = False
    origin: Short = ""
    of_list: Short = field(default="", name="list")
    sender: Short = ""


class OfSuppression(Struct, frozen=True, forbid_unknown_fields=True):
    """For which list or sender; without them a suppression for any counts."""

    of_list: Short | UnsetType = field(default=UNSET, name="list")
    sender: Short | UnsetType = UNSET


class OfEvents(Struct, frozen=True, forbid_unknown_fields=True):
    """Only events that meet all that is given."""

    since: Moment | UnsetType = UNSET
    until: Moment | UnsetType = UNSET
    action: Action | UnsetType = UNSET
    domain: Short = ""
    reason: Annotated[str, Meta(pattern=r"^[a-z_]{0,40}$")] = ""
    limit: Annotated[int, Meta(ge=1, le=EVENTS)] = 100


class OfAlerts(Struct, frozen=True, forbid_unknown_fields=True):
    """Only trouble since then."""

    since: Moment | UnsetType = UNSET


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""
