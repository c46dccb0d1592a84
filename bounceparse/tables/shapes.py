"""The shapes of the tables: frozen structs, one for each kind of entry.

Words are kept squeezed (`text.squeeze`), with a blank at either end unless the word is open there (`throttl*`), so that a plain search in squeezed
text finds whole words. Words in Chinese, Japanese, Korean and Thai are always open. A phrase with gaps (`user … over quota`) is several such
pieces, in order, each gap at most `limits.GAP` long; the blank that ends one piece may be the one that begins the next.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

PHASES: Final = {
    "connect": "CONNECT",
    "helo": "EHLO",
    "ehlo": "EHLO",
    "starttls": "STARTTLS",
    "auth": "AUTH",
    "mail": "MAIL",
    "rcpt": "RCPT",
    "data": "DATA",
    "eod": "EOD",
    "vrfy": "VRFY",
    "etrn": "ETRN",
    "atrn": "ATRN",
    "help": "HELP",
    "rset": "RSET",
    "noop": "NOOP",
    "quit": "QUIT",
}
"""Phases as the tables write them, and as `Recipient.command` says them."""

CAPTURES: Final = frozenset({"address", "host", "ip", "code", "status", "id", "date", "text", "diagnostic"})
"""The words that a line template of a dialect may capture."""


class TableError(ValueError):
    """A mistake in a table: where it is, what is wrong, and how to mend it."""

    def __init__(self, file: str, line: int, what: str, mend: str) -> None:
        super().__init__(f"{file}:{line}: {what}; {mend}")
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend


class Reason(Struct, frozen=True, gc=False):
    """Why a message was not delivered, or what else happened to it.

    `bounce` says what the reason makes of a failure: `hard` even without a code (a 4xx answer is soft all the same), `by_class` hard when the answer
    is final, else soft; `soft` and `none` always.
    """

    name: str
    title: str
    meaning: str
    bounce: Literal["hard", "by_class", "soft", "none"]
    fault: Literal["recipient", "sender", "message", "network", "receiver", "unknown"]
    rank: int  # order of belief where several reasons match one text; the lower one wins
    remedy: str
    source: str


class Status(Struct, frozen=True, gc=False, omit_defaults=True):
    """An enhanced status code of the registry, whatever its class (RFC 3463, RFC 5248)."""

    code: str  # "X.1.1"
    title: str
    reason: str
    reason_4: str = ""  # instead of `reason` for class 4
    reason_5: str = ""  # instead of `reason` for class 5
    confidence: Literal["high", "medium", "low"] = "medium"  # how far the code alone settles the reason; with low, words win
    fault: str = ""  # where it is not the one of the reason
    note: str = ""
    source: str = ""


class VendorStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a service or software means by an enhanced status code, where the registry says something else or nothing.

    It holds when the host is one of `hosts` or below it, or one of `marks` is in the squeezed text.
    """

    vendor: str
    code: str  # "5.4.1", or "X.4.1" for every class
    title: str
    reason: str
    hosts: tuple[str, ...] = ()  # lower-case suffixes without a leading dot
    marks: tuple[str, ...] = ()  # squeezed literals
    fault: str = ""  # where it is not the one of the reason
    source: str = ""


class Reply(Struct, frozen=True, gc=False, omit_defaults=True):
    """One meaning of a basic reply code (RFC 5321 4.2). A code has several, told apart by phase and words.

    Read them in this order: meanings with `words` of which one is in the text, phase fitting; meanings without words whose `phases` hold the phase;
    the one with `default`.
    """

    code: str
    title: str  # of the code
    meaning: str  # in this phase
    reason: str
    phases: tuple[str, ...] = ()  # as `Recipient.command`, empty for any
    words: tuple[str, ...] = ()  # squeezed literals, any of them
    default: bool = False
    fault: str = ""  # where it is not the one of the reason
    source: str = ""


class SystemResult(Struct, frozen=True, gc=False, omit_defaults=True):
    """An error number, exit status or resolver result that mail servers quote instead of a reply."""

    id: str  # "winsock:10060", "win32:1231", "errno:ECONNREFUSED", "exit:67", "dns:NXDOMAIN"
    name: str
    number: int  # 0 when it has none
    meaning: str
    reason: str
    status: str  # the enhanced status code that says the same
    words: tuple[str, ...] = ()  # squeezed literals by which it is recognised
    source: str = ""


class Phrase(Struct, frozen=True, gc=False, omit_defaults=True):
    """Words that give a reason."""

    id: str  # "en/mailbox-full", "exim/unrouteable-address"
    language: str
    reason: str
    words: tuple[str, ...]  # squeezed pieces, more than one for a phrase with gaps
    text: str  # as written in the table
    reply_class: Literal["", "4", "5"] = ""  # only for replies of this class
    phases: tuple[str, ...] = ()  # only in these phases, as `Recipient.command`
    weak: bool = False  # speaks only when no strong phrase does
    provider: str = ""  # only for this provider
    line: int = 0
    file: str = ""
    temporary: bool = False  # the words say that it will pass: never hard
    dialect: str = ""  # only for this dialect
    fault: str = ""  # where it is not the one of the reason
    own: bool = False  # from a rule file of the user
    source: str = ""


class Bearings(Struct, frozen=True, gc=False, omit_defaults=True):
    """How one language tells of whom words are said, and that they are denied; squeezed literals.

    What declares an address dead is not said of the recipient when a word of `before` or `denials` stands right before it, one of `inside` in its
    gaps, one of `near` a few words ahead, or one of `after` behind it, joined by `links`, with `fillers` between them.
    """

    denials: tuple[str, ...] = ()  # "not"
    before: tuple[str, ...] = ()  # "your"
    inside: tuple[str, ...] = ()  # "sender"
    near: tuple[str, ...] = ()  # "header"
    recipient: tuple[str, ...] = ()  # after one of `near`, it is said of the recipient all the same
    links: tuple[str, ...] = ()  # "of"
    fillers: tuple[str, ...] = ()  # "the"
    after: tuple[str, ...] = ()  # "sender"
    alive: tuple[str, ...] = ()  # "mailbox exists but": the recipient is there, whatever a code says


class NoticeWords(Struct, frozen=True, gc=False, omit_defaults=True):
    """How notices that programs write for people speak in one language; squeezed literals.

    That a mail did not arrive is said by a sentence with one of `mail` that has one of `undone`, or one of `denials` beside one of `carried`.
    """

    mail: tuple[str, ...] = ()  # "message"
    carried: tuple[str, ...] = ()  # "delivered"
    denials: tuple[str, ...] = ()  # "could not"
    undone: tuple[str, ...] = ()  # "was rejected"
    reached: tuple[str, ...] = ()  # "was delivered to": those who are named there did not fail
    recipient: tuple[str, ...] = ()  # words of labels before an address that failed
    reason: tuple[str, ...] = ()  # words of labels before what went wrong
    fill: tuple[str, ...] = ()  # what may stand beside them in a label: "final", "of the"
    to: tuple[str, ...] = ()  # the label of the returned message's To
    fields: tuple[str, ...] = ()  # words of labels before other things that are told about the returned message: "subject", "size"
    others: tuple[str, ...] = ()  # "contact": addresses beside it are somebody else's
    roles: tuple[str, ...] = ()  # local parts of those who look after mail: "helpdesk"
    done: tuple[str, ...] = ()  # the whole reason beside an address that did not fail: "ok"
    delayed: tuple[str, ...] = ()  # that delivery is tried again: "still waiting"
    programs: tuple[str, ...] = ()  # in the local part of From: a program wrote this, no person


class Token(Struct, frozen=True, gc=False, omit_defaults=True):
    """A mark inside the replies of one provider that says more than its codes."""

    id: str  # "gmail/5.7.26"
    provider: str
    text: str  # as written in the table
    words: tuple[str, ...]  # squeezed pieces
    reason: str
    meaning: str
    reply_class: Literal["", "4", "5"] = ""
    phases: tuple[str, ...] = ()
    temporary: bool = False
    fault: str = ""
    line: int = 0
    file: str = ""
    own: bool = False
    source: str = ""


class Provider(Struct, frozen=True, gc=False):
    """A receiving provider or filter with replies of its own."""

    key: str
    title: str
    hosts: tuple[str, ...]  # lower-case suffixes without a leading dot
    marks: tuple[str, ...]  # squeezed literals that identify it in a text
    tokens: tuple[Token, ...]
    source: str = ""


class Blocklist(Struct, frozen=True, gc=False):
    """A list of hosts, domains or links that receivers refuse mail by."""

    name: str
    title: str
    zones: tuple[str, ...]  # DNS zones, lower case
    words: tuple[str, ...]  # squeezed literals that name it in a text, its zones among them
    lists: tuple[str, ...]  # ip, domain, url
    lookup: str = ""  # page on which one sees why something is listed
    source: str = ""


class AutoReply(Struct, frozen=True, gc=False):
    """How answers that no person wrote are recognised (RFC 3834, and the many that do not follow it)."""

    subjects: dict[str, tuple[str, ...]]  # language -> squeezed beginnings of the subject
    headers: dict[str, tuple[str, ...]]  # lower-case header name -> lower-case beginnings of its value, empty for any value
    phrases: dict[str, tuple[str, ...]]  # language -> squeezed words of the text


class Sign(Struct, frozen=True, gc=False):
    """Words that tell one kind of message from another by the place where they stand."""

    kind: str
    where: str  # from, subject or text
    words: tuple[tuple[str, ...], ...]  # squeezed pieces of each
    source: str = ""


class Sample(Struct, frozen=True, gc=False):
    """A text with what is expected of it: the test of a table, written beside it."""

    text: str
    expect: dict[str, str]
    file: str = ""
    line: int = 0


class Dialect(Struct, frozen=True, gc=False, omit_defaults=True):
    """How the notices of one software or service are recognised and read. All claims that are given must hold, any literal of each."""

    name: str
    title: str
    seen: str
    claims_from: tuple[str, ...] = ()  # squeezed literals
    claims_subject: tuple[str, ...] = ()  # squeezed literals
    claims_header: tuple[str, ...] = ()  # lower-case header names
    claims_phrase: tuple[str, ...] = ()  # squeezed literals
    begin: tuple[str, ...] = ()  # lower-case literals of the line before the section with the recipients
    recipient: tuple[str, ...] = ()  # line templates
    more: Literal["indented", "until-blank", "above", "none"] = "none"
    end: tuple[str, ...] = ()  # lower-case literals of the line after the section
    reasons: tuple[Phrase, ...] = ()  # words that this software alone uses
    samples: tuple[Sample, ...] = ()
    hook: str = ""  # a function of dialects/hooks/
    file: str = ""
    line: int = 0
    kind: str = ""  # the kind that its mails always have, "" when the mail decides


class Vocabulary(Struct, frozen=True, gc=False):
    """The names that another system has for reasons, both ways. Going there and back loses detail, but never ends nowhere."""

    name: str
    title: str
    labels: dict[str, str]  # our reason -> their label
    reasons: dict[str, str]  # their label -> our reason
    source: str = ""
    hard: dict[str, str] = {}  # labels for a hard bounce, where those differ
    soft: dict[str, str] = {}  # for a soft one
    delay: dict[str, str] = {}  # while delivery is still tried; "any" stands for every other reason
    dialects: dict[str, str] = {}  # our name of a mail server -> theirs

    def label(self, reason: str, bounce: str = "", kind: str = "bounce") -> str:
        """Return their label for a reason, as far as they tell hard, soft and delay apart; "" for no reason, and for a reason that is not ours."""
        if kind == "delay" and self.delay:
            found = self.delay.get(reason) or self.delay.get("any")
            if found and reason in self.labels:
                return found
        special = self.hard if bounce == "hard" else self.soft if bounce == "soft" else {}
        return special.get(reason) or self.labels.get(reason, "")


class Tables(Struct, frozen=True):
    """All tables. Own rules of the user stand before the built-in ones."""

    reasons: dict[str, Reason]
    classes: dict[str, str]  # "2", "4", "5" -> title
    subjects: dict[str, str]  # "0" to "7" -> title
    statuses: dict[str, Status]  # "1.1" -> Status
    vendors: dict[str, tuple[VendorStatus, ...]]  # "1.1" -> what services mean by it; the first that fits speaks
    replies: dict[str, tuple[Reply, ...]]
    system: dict[str, SystemResult]
    phrases: tuple[Phrase, ...]
    bearings: dict[str, Bearings]  # by language
    notices: dict[str, NoticeWords]  # by language
    providers: tuple[Provider, ...]
    blocklists: tuple[Blocklist, ...]
    autoreply: AutoReply
    signs: tuple[Sign, ...]
    dialects: tuple[Dialect, ...]
    vocabularies: dict[str, Vocabulary]
