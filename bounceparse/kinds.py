"""What kind of message is it? `decide_kind` asks the machine part first, then the one list BY_WORDS, strongest evidence first.

A machine part decides before words do; a daemon's mail needs words that say that something failed; a person's mail is never a bounce by its words
alone. Delay notices and success reports are told apart from failures by Action first, then Status, then the subject, then the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from bounceparse import limits
from bounceparse.evidence.gather import Gathered
from bounceparse.evidence.wording import Wording
from bounceparse.model import Claim, Kind
from bounceparse.signs import Signs
from bounceparse.wire.headers import decode_field

_NULL_PATH: Final = re.compile(r"\s*<\s*>\s*|\s*<?mailer-daemon@?[^>\s]*>?\s*", re.I)
_CLIENT: Final = re.compile(
    r"thunderbird|outlook(?! express mail delivery)|apple mail|iphone|ipad|roundcube|k-?mail|evolution|mutt|claws|windows live|eudora|the bat|"
    r"k-9|android|sylpheed|gnus|geary|alpine|squirrelmail|horde|rainloop|snappymail|foxmail|mailmate|mailspring|open-xchange mailer|yahoomail"
)
_PERSON: Final = re.compile(r"\s*(?:\[[^\]\n]{1,60}\]\s*)?(?:re|aw|fwd?|wg|sv|vs|antw|rif?|odp|ynt|tr|res|rv|enc|i|r)\s*(?:\[\d+\])?\s?:", re.I)
_QUOTED: Final = re.compile(
    r"\n(?:> ?(?!>|<<<)|-{3,} ?(?:Origin|Urspr|Message d|Oorspr|Mensaje orig|Messaggio orig|Mensagem orig|Wiadomo|Oprind|Opprin|Alkuper|P\S{1,2}vodn|"
    r"Eredeti|Orijinal|Forwarded|Weitergel|Исходн|Пересл|元の|原|转发|轉寄|원본|전달)|"
    r"Am .{6,60} schrieb .{1,80}:$|"
    r"(?:From|Von|De|Da|Van|Fr\S{1,2}n|Fra|Od|От|差出人|发件人|寄件者) ?: .{1,200}\n"
    r"(?:Sent|Date|Gesendet|Datum|Envoy\S{1,2}|Enviado|Inviato|Data|Verzonden|Skickat|Sendt|Wys\S{1,2}ano|Отправлено|Дата|送信|发送|日期)\S{0,2} ?: "
    r")",
    re.M,
)
_WROTE: Final = re.compile(
    r":(?=\s*$)(?:(?<=wrote:)|(?<=schrieb:)|(?<=a \Scrit:)|(?<=a \S\Scrit:)|(?<=a \S\S\Scrit:)|(?<=escribi\S:)|(?<=escribi\S\S:)|"
    r"(?<=ha scritto:)|(?<=escreveu:)|(?<=schreef:)|(?<=skrev:)|(?<=napisa\S:)|(?<=napisa\S\S:)|(?<=пишет:)|(?<=написа\S:)|(?<=написа\S\S:))",
    re.M,
)
"""How a quotation is marked, and how it is announced. Either begins with one character, which memchr finds, instead of being tried everywhere."""
_LOOKED_THROUGH: Final = 24_000  # characters of a text in which a quotation is looked for
_DAEMON: Final = re.compile(r"(?:mailer-?daemon|mail-?daemon|mdaemon|(post_?master)|microsoftexchange329\w+)\\?@")
_PROGRAM: Final = re.compile(
    r"(?<![a-z])(?:no[-_. ]?reply|do[-_. ]?not|notific|benachr|bounce|return|deliver|undeliver|gateway|protect|quarantine|webmaster|hostmaster|"
    r"majordomo|mailman|ezmlm|security|operator|kontakt|"
    r"(?:ndr|dsn|smtp|mta|mx|gw|relay|smarthost|imap|pop3?|system|server|service|filter|virus|antivirus|anti|spam|scan|scanner|post|admin|administrator|root|robot|bot|auto|"
    r"error|report|reporter|manager|agent|list|sympa|support|help|info|office|contact|network|abuse|noc|web|alert|e-?mail|mails)s?(?![a-z]))"
    r"|master|mailer|daemon|mail(?![a-z])",
    re.I,
)
"""Local parts that a program may write under: with another in From, a mail is somebody's until more than its words speaks for a bounce."""
_COMMAND: Final = re.compile(r"\s*(?:un|ab|dés|des|de)?[\w-]{4,14}(?:\s+\S{1,60})?\s*", re.I)
_ACTIONS: Final[dict[Kind, str]] = {"bounce": "failed", "delay": "delayed", "delivered": "delivered"}
_ANSWERING: Final = frozenset({"in-reply-to", "references", "x-auto-response-suppress"})
"""Fields of which an answer has one, where its subject is its own; Precedence and Auto-Submitted stand in notices that answer nothing, too."""
_FAILURES: Final = frozenset({"failure@text", "final@text", "delay@text", "failure@subject", "delay@subject"})
_SUCCESS: Final = frozenset({"delivered", "relayed", "expanded"})


def decide_kind(
    gathered: Gathered, claims: list[Claim], words: list[Claim], signs: Signs, wording: Wording, names_reason: Callable[[list[Claim]], bool]
) -> Kind:
    """Return the kind of a message, from its machine part, its headers and the signs in it.

    `names_reason` says whether the words beside an address are those of a known reason; it is asked only where nothing else decides.
    """
    if gathered.feedback or gathered.report == "feedback":
        return "complaint"
    if signs.dialect_kind:
        return signs.dialect_kind  # type: ignore[return-value]
    if gathered.report == "dsn" and claims:
        if gathered.printed:
            facts = _Facts(gathered, words, signs, wording, names_reason)
            if not facts.daemon and (facts.from_person or facts.listed or facts.from_somebody):
                return "auto_reply" if facts.automatic else "not_bounce"
        return _by_action(claims, signs)
    if gathered.report == "disposition":
        return "bounce" if gathered.refused else "disposition"
    return _by_words(gathered, words, signs, wording, names_reason)


def _by_action(claims: list[Claim], signs: Signs) -> Kind:
    actions = {claim.action or _action_of(claim, signs) for claim in claims}
    if "failed" in actions:
        return "bounce"
    if "delayed" in actions:
        return "delay"
    return "delivered"


def _action_of(claim: Claim, signs: Signs) -> str:
    """Return what a claim without Action most likely means."""
    if claim.status[:1] == "2":
        return "delivered"
    if "delay@subject" in signs.words or (claim.status[:1] == "4" and "delay@text" in signs.words):
        return "delayed"
    return "failed"


class _Facts:
    """What a message without a machine part shows; the questions of BY_WORDS are asked of it."""

    __slots__ = (
        "automatic",
        "daemon",
        "failed_title",
        "gathered",
        "late",
        "late_title",
        "listed",
        "names_reason",
        "null_path",
        "program",
        "returned",
        "said",
        "seen",
        "signs",
        "strict",
        "title",
        "titled",
        "wording",
        "words",
    )

    def __init__(self, gathered: Gathered, words: list[Claim], signs: Signs, wording: Wording, names_reason: Callable[[list[Claim]], bool]) -> None:
        seen, headers = signs.words, gathered.headers
        sender = headers.get("from", "")
        self.gathered, self.signs, self.seen, self.names_reason = gathered, signs, seen, names_reason
        self.wording = wording
        self.returned = bool(gathered.original)
        self.listed = "list-id" in headers or "list-unsubscribe" in headers
        self.null_path = _NULL_PATH.fullmatch(headers.get("return-path", "x")) is not None
        self.daemon = "daemon@from" in seen or (sender.strip() in ("", "<>") and "from" in headers) or "x-failed-recipients" in headers
        of_mail = not self._speaks_for_host(words)
        self.program = not of_mail or self._is_program()
        failed = "failure@text" in seen or "final@text" in seen
        self.said = failed or (self.program and wording.says_failed(gathered.text, of_mail))
        self.failed_title, self.late_title = "failure@subject" in seen, "delay@subject" in seen
        if self.program and not self.failed_title and not self.late_title:
            title = decode_field(headers.get("subject", ""), limits.FIELD)
            self.failed_title, self.late_title = wording.says_failed(title, of_mail), wording.says_delayed(title)
        self.title = self.failed_title or self.late_title
        self.late = "delay@text" in seen or (
            self.program and not failed and not self.failed_title and (self.late_title or not self.said) and wording.says_delayed(gathered.text)
        )
        self.titled = (self.failed_title and self.said) or (self.late_title and self.late)
        self.automatic = "auto_reply@header" in seen or "auto_reply@subject" in seen or (
            ("auto_reply@text" in seen or "automatic@text" in seen) and self._answers_by_itself()
        )
        named = _DAEMON.search(sender.lower())
        human = named is not None and named[1] is not None  # a postmaster may be a person, a mailer-daemon is none
        self.strict = "delivery-status" in headers.get("content-type", "").lower() or (
            named is not None and (not human or self.said or self.title or self.late)
        )
        sober = (self.strict or self.null_path) and (self.said or self.title)
        poor = ("mention",) if self.program and self.titled else ("mention", "to")
        self.words = words if sober or signs.sure else [claim for claim in words if claim.rule not in poor]

    def _speaks_for_host(self, words: list[Claim]) -> bool:
        """Say whether whatever it says failed is mail: it is a daemon's, comes without a return path, or names addresses of its own domain."""
        headers = self.gathered.headers
        if self.daemon or self._answers():
            return self.daemon
        if self.null_path:
            return True
        domain = headers.get("from", "").rpartition("@")[2].strip("> \n").lower()
        return domain != "" and any(claim.rule != "mention" and claim.address.rpartition("@")[2] == domain for claim in words)

    def _is_program(self) -> bool:
        """Say whether a program wrote it, and none that answers what somebody wrote."""
        headers = self.gathered.headers
        local = headers.get("from", "").rpartition("<")[2].partition("@")[0]
        return not self._answers() and ("auto-submitted" in headers or _PROGRAM.search(local) is not None or self.wording.names_program(local))

    def _answers(self) -> bool:
        """Say whether it answers what somebody wrote, as absence notes do."""
        return "auto_reply@text" in self.seen or "auto_reply@subject" in self.seen or not _ANSWERING.isdisjoint(self.gathered.headers)

    def _answers_by_itself(self) -> bool:
        """Say whether a mail with words of an automatic answer is one: people write them too, but begin a thread with them, or quote."""
        headers = self.gathered.headers
        if self.null_path:
            return True
        if self.listed or self.quotes:
            return False
        if "automatic@text" in self.seen or not _ANSWERING.isdisjoint(headers):
            return True
        return _PERSON.match(headers.get("subject", "")) is not None

    @property
    def quotes(self) -> bool:
        """It shows what it answers, as mail clients of people do."""
        text = "\n" + self.gathered.text[:_LOOKED_THROUGH]
        return _QUOTED.search(text) is not None or _WROTE.search(text) is not None

    @property
    def signed(self) -> bool:
        """It came without a return path and with words that only programs write, or says in its subject and its text that something failed."""
        return self.null_path and (self.titled or not _FAILURES.isdisjoint(self.seen))

    @property
    def failed_title_of_anything(self) -> bool:
        """The subject says that something failed, be it a mail or what the mail was about."""
        return self.failed_title or self.wording.says_failed(decode_field(self.gathered.headers.get("subject", ""), limits.FIELD), of_mail=False)

    @property
    def told(self) -> bool:
        """Beside an address stands a reply or a known reason."""
        return bool(self.words) and (self.replied or self.names_reason(self.words))

    @property
    def replied(self) -> bool:
        return any(claim.reply_code or claim.status for claim in self.words)

    @property
    def to_sender(self) -> bool:
        """It speaks of "your message" or quotes a reply, and bears no tag of a tracker or list: no daemon's address, but it may be a bounce."""
        title = self.gathered.headers.get("subject", "").lstrip()
        if title[:1] == "[" and not self.wording.says_failed(title.partition("]")[0], False):
            return False
        return self.replied or (self.late and self.speaks) or self.wording.says_failed(self.gathered.text)

    @property
    def speaks(self) -> bool:
        """It names somebody, or speaks of mail: a parcel is delayed or returned too."""
        return bool(self.words) or "mail" in self.wording.hear(self.gathered.text[:_LOOKED_THROUGH])

    @property
    def from_person(self) -> bool:
        """A person wrote, answered or forwarded it: the mail client or the subject's prefix says so."""
        headers = self.gathered.headers
        client = headers.get("user-agent", "") or headers.get("x-mailer", "")
        if client and "auto-submitted" not in headers and _CLIENT.search(client.lower()) is not None:
            return True
        if _PERSON.match(headers.get("subject", "")) is None:
            return False
        titled = "failure@subject" in self.seen and self.said
        return not titled or "in-reply-to" in headers or "references" in headers or self.quotes

    @property
    def from_somebody(self) -> bool:
        """Its From has a name, and an address that no program has, and no header says that it is a report: people and newsletters quote them."""
        headers = self.gathered.headers
        if self.daemon or self.null_path or "auto-submitted" in headers or headers.get("content-type", "")[:16].lower() == "multipart/report":
            return False
        if self.quotes:
            return True
        return headers.get("from", "").rpartition("<")[0].strip() != "" and not self.program

    @property
    def foreign_path(self) -> bool:
        """It came with the return path of somebody else than a daemon: mail that imitates a bounce does, bounces do not."""
        path = self.gathered.headers.get("return-path", "")
        return "@" in path and not self.null_path and _PROGRAM.search(path) is None

    @property
    def unsubscribes(self) -> bool:
        headers = self.gathered.headers
        command = "unsubscribe@subject" in self.seen and _COMMAND.fullmatch(headers.get("subject", "")) is not None
        return "x-apple-unsubscribe" in headers or (command and "daemon@from" not in self.seen)


BY_WORDS: Final[tuple[tuple[str, Callable[[_Facts], bool]], ...]] = (
    ("unsubscribe", lambda f: f.unsubscribes),
    ("not_bounce", lambda f: "digest@subject" in f.seen and not f.returned and not f.signs.sure),
    ("auto_reply", lambda f: "auto_reply@subject" in f.seen and not f.signs.dialect and not (f.daemon and f.failed_title)),
    ("failure", lambda f: f.signs.sure and (bool(f.words) or f.said or f.late)),
    ("challenge", lambda f: "challenge@subject" in f.seen or ("challenge@text" in f.seen and not f.daemon and (f.null_path or f.automatic))),
    ("ordinary", lambda f: not f.daemon and f.from_person),
    ("ordinary", lambda f: f.listed and not f.daemon and not (f.titled and f.returned)),
    ("ordinary", lambda f: f.from_somebody),
    ("not_bounce", lambda f: "lure@text" in f.seen and not f.words and not f.returned),
    ("failure", lambda f: bool(f.signs.dialect) and (bool(f.words) or f.said or f.late)),
    ("failure", lambda f: f.titled and (f.returned or (f.strict and not (f.foreign_path and not f.words)))),
    ("failure", lambda f: f.titled and bool(f.words) and (f.null_path or f.to_sender)),
    ("failure", lambda f: f.strict and bool(f.words) and (f.said or f.failed_title)),
    ("failure", lambda f: (f.daemon or f.signed) and (f.said or f.title or f.late) and (f.returned or (f.late_title and f.speaks))),
    ("failure", lambda f: (f.said or f.title or f.late) and "x-failed-recipients" in f.gathered.headers),
    ("failure", lambda f: f.null_path and f.titled and f.speaks),
    ("failure", lambda f: f.strict and f.returned and bool(f.words)),
    ("failure", lambda f: (f.strict or f.null_path or (f.title and ((f.daemon and f.said) or f.to_sender)) or (f.daemon and f.late)) and f.told),
    ("failure", lambda f: f.program and f.said and f.failed_title_of_anything and f.to_sender and f.told),
    ("auto_reply", lambda f: f.automatic and (not f.daemon or ("auto_reply@text" in f.seen and not (f.said or f.title or f.late)))),
    ("delivered", lambda f: (f.daemon or bool(f.signs.dialect)) and ("success@subject" in f.seen or "success@text" in f.seen)),
    ("not_bounce", lambda f: True),
)
"""The order of the questions for mail without a machine part; the first that holds decides.

`failure` is a bounce or a delay, as its words say; `ordinary` an automatic answer where the headers say so, else no bounce.
"""


def _by_words(gathered: Gathered, words: list[Claim], signs: Signs, wording: Wording, names_reason: Callable[[list[Claim]], bool]) -> Kind:
    facts = _Facts(gathered, words, signs, wording, names_reason)
    kind = next(name for name, holds in BY_WORDS if holds(facts))
    if kind == "failure":
        reached = bool(words) and all(claim.action == "delivered" for claim in words)
        return "delivered" if reached else _failure_or_delay(facts)
    if kind == "ordinary":
        return "auto_reply" if facts.automatic else "not_bounce"
    return kind  # type: ignore[return-value]


def _failure_or_delay(facts: _Facts) -> Kind:
    if facts.late_title and not facts.failed_title:
        return "delay"
    if facts.late and "final@text" not in facts.seen:
        return "delay"
    if "success@subject" in facts.seen and not (facts.said or facts.failed_title):
        return "delivered"
    return "bounce"


def action_for(kind: Kind) -> str:
    """Return the Action that a message of this kind stands for where a recipient has none of its own."""
    return _ACTIONS.get(kind, "")


def success(action: str) -> bool:
    """Say whether an Action reports success."""
    return action in _SUCCESS
