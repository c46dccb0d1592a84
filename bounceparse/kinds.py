"""What kind of message is it? The order of the questions is the order of the code in `decide_kind`, strongest evidence first.

A machine part decides before words do; a daemon's mail needs words that say that something failed; a person's mail is never a bounce by its words
alone. Delay notices and success reports are told apart from failures by Action first, then Status, then the subject, then the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from bounceparse import limits
from bounceparse.evidence.gather import Gathered
from bounceparse.landmarks import Landmarks
from bounceparse.model import Claim, Kind
from bounceparse.text import squeeze
from bounceparse.wire.headers import decode_field

_NULL_PATH: Final = re.compile(r"\s*<\s*>\s*|\s*<?mailer-daemon@?[^>\s]*>?\s*", re.I)
_CLIENT: Final = re.compile(
    r"thunderbird|outlook(?! express mail delivery)|apple mail|iphone|ipad|roundcube|k-?mail|evolution|mutt|claws|windows live|eudora|the bat", re.I
)
_PERSON: Final = re.compile(r"\s*(?:\[[^\]\n]{1,60}\]\s*)?(?:re|aw|fwd?|wg|sv|vs|antw|rif?|odp|ynt|tr|res|rv|enc|i|r)\s*(?:\[\d+\])?\s?:", re.I)
_QUOTED: Final = re.compile(
    r"^>|^-{3,} ?(?:Original Message|Urspr|Message d)|(?:wrote|schrieb|a \S{1,3}crit|escribi\S{1,2}|ha scritto|escreveu|schreef):\s*$", re.M
)
_DAEMON: Final = re.compile(r"(?:mailer-?daemon|mail-?daemon|mdaemon|(post_?master)|microsoftexchange329\w+)\\?@", re.I)
_YOUR_MAIL: Final = re.compile(
    r"\b(?:your|ihre|votre|vos|su|tu|vostro|tuo|sua|seu|uw|twoja|twoj|wasza|ваш[еиа]?|ditt|din|dit) (?:e-?|original )?"
    r"(?:mail|message|nachricht|courriel|courrier|mensaje|correo|messaggio|mensagem|bericht|wiadomość|сообщение|письмо|meddelande|besked|melding)\b"
    r"|message (?:you sent|that you)|following (?:mail|message|address)|email below|-- non-delivery",
    re.I,
)
_COMMAND: Final = re.compile(r"\s*(?:un|ab|dés|des|de)?[\w-]{4,14}(?:\s+\S{1,60})?\s*", re.I)
_ACTIONS: Final[dict[Kind, str]] = {"bounce": "failed", "delay": "delayed", "delivered": "delivered"}
_SUCCESS: Final = frozenset({"delivered", "relayed", "expanded"})


class Signs(Struct, frozen=True, gc=False):
    """What the landmarks of a message say about its kind."""

    words: frozenset[str] = frozenset()  # "<kind>@<place>": "failure@subject", "delay@text", "daemon@from", "auto_reply@subject", …
    dialect: str = ""
    dialect_kind: str = ""  # the kind that the dialect always means ("" when it can be several)
    sure: bool = False  # the dialect is claimed by its sender or header too, not by words alone, which anybody can quote


class Heads(Struct, frozen=True, gc=False):
    """What the landmarks in From and Subject say."""

    words: frozenset[str]
    senders: frozenset[int]  # ids of the landmarks in From
    subjects: frozenset[int]
    candidates: dict[int, int]  # dialect number -> length of the literal that claims it


def read_heads(landmarks: Landmarks, sender: str, subject: str) -> Heads:
    """Return what From and Subject say, as they stand in the header; fit to be asked for through a cache, since daemons repeat themselves."""
    words: set[str] = set()
    found: tuple[set[int], set[int]] = (set(), set())
    candidates: dict[int, int] = {}
    for place, field in enumerate((sender, subject)):
        if "=?" in field or not field.isascii():
            field = decode_field(field, limits.FIELD)
        for literal, start, end in landmarks.survey_head(squeeze(field[: limits.FIELD]), True):
            found[place].add(literal)
            signs, claimed = landmarks.in_head[literal][place]
            words.update(signs)
            for number in claimed:
                candidates[number] = max(end - start, candidates.get(number, 0))
    return Heads(frozenset(words), frozenset(found[0]), frozenset(found[1]), candidates)


def read_signs(landmarks: Landmarks, headers: dict[str, str], heads: Heads, text: str) -> Signs:
    """Return the signs and the dialect of a message, from what its From and Subject say and one automaton pass over its text.

    A dialect claims a message when every group of its claims holds; of several, the one with more groups, then with longer literals, is taken.
    """
    words = set(heads.words)
    candidates = heads.candidates.copy()
    phrased: set[int] = set()
    in_text = landmarks.in_text
    for literal, start, end in landmarks.survey_text(squeeze(text), True):
        signs, claimed = in_text[literal]
        if signs:
            words.update(signs)
        for number in claimed:
            candidates[number] = max(end - start, candidates.get(number, 0))
            phrased.add(number)
    for name in landmarks.header_names & headers.keys():
        for number in landmarks.headers[name]:
            candidates[number] = len(name) + candidates.get(number, 0)
        values = landmarks.auto_headers.get(name)
        if values is not None and (not values or headers[name].lower().startswith(values)):
            words.add("auto_reply@header")
    best = (0, 0, -1)
    for number, length in candidates.items():
        needed = landmarks.needed[number]
        senders, subjects = landmarks.heads[number]
        if (needed & 1 and senders.isdisjoint(heads.senders)) or (needed & 2 and subjects.isdisjoint(heads.subjects)):
            continue
        if needed & 8 and not any(name in headers for name in landmarks.dialects[number].claims_header):
            continue
        if needed & 4 and number not in phrased:
            continue
        best = max(best, (needed.bit_count(), length, number))
    if best[2] < 0:
        return Signs(frozenset(words))
    dialect = landmarks.dialects[best[2]]
    return Signs(frozenset(words), dialect.name, dialect.kind, bool(landmarks.needed[best[2]] & 9))


def decide_kind(gathered: Gathered, claims: list[Claim], words: list[Claim], signs: Signs, names_reason: Callable[[list[Claim]], bool]) -> Kind:
    """Return the kind of a message, from its machine part, its headers and the signs in it.

    `names_reason` says whether the words beside an address are those of a known reason; it is asked only where nothing else decides.
    """
    if gathered.feedback or gathered.report == "feedback":
        return "complaint"
    if signs.dialect_kind:
        return signs.dialect_kind  # type: ignore[return-value]
    if gathered.report == "dsn" and claims:
        return _by_action(claims, signs)
    if gathered.report == "disposition":
        return "bounce" if gathered.refused else "disposition"
    return _by_words(gathered, words, signs, names_reason)


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


def _by_words(gathered: Gathered, words: list[Claim], signs: Signs, names_reason: Callable[[list[Claim]], bool]) -> Kind:
    seen, headers = signs.words, gathered.headers
    null_path = _NULL_PATH.fullmatch(headers.get("return-path", "x")) is not None
    daemon = "daemon@from" in seen or headers.get("from", "x").strip() in ("", "<>") or "x-failed-recipients" in headers
    said = "failure@text" in seen or "final@text" in seen
    titled = "failure@subject" in seen and said
    returned = bool(gathered.original)
    if _is_unsubscribe(headers, seen):
        return "unsubscribe"
    if "digest@subject" in seen and not returned and not signs.sure:
        return "not_bounce"
    if "auto_reply@subject" in seen and not (signs.dialect or (daemon and "failure@subject" in seen)):
        return "auto_reply"
    if signs.sure and (words or said or "delay@text" in seen):
        return _failure_or_delay(seen)
    if "challenge@subject" in seen or ("challenge@text" in seen and not daemon and (null_path or _is_automatic(seen))):
        return "challenge"
    if not daemon and _is_from_person(headers, gathered, titled):
        return "auto_reply" if _is_automatic(seen) else "not_bounce"
    if ("list-id" in headers or "list-unsubscribe" in headers) and not daemon and not (titled and returned):
        return "auto_reply" if _is_automatic(seen) else "not_bounce"
    if signs.dialect and (words or said or "delay@text" in seen):
        return _failure_or_delay(seen)
    failed_by_title = "failure@subject" in seen or "delay@subject" in seen
    named = _DAEMON.search(headers.get("from", ""))  # a postmaster may be a person
    strict = "delivery-status" in headers.get("content-type", "").lower() or (named is not None and (said or failed_by_title or "delay@text" in seen or named[1] is None))
    if not ((strict or null_path) and (said or failed_by_title)):
        words = [claim for claim in words if claim.rule != "mention"]
    if titled and (returned or (words and (strict or null_path or _speaks_to_sender(headers, gathered, words)))):
        return _failure_or_delay(seen)
    if strict and (titled or (words and (said or "failure@subject" in seen))):
        return _failure_or_delay(seen)
    reported = (daemon or null_path) and (said or "failure@subject" in seen or "delay@subject" in seen or "delay@text" in seen)
    if reported and (returned or (null_path and titled) or "delay@subject" in seen or "x-failed-recipients" in headers):
        return _failure_or_delay(seen)
    told = words and (any(claim.reply_code or claim.status for claim in words) or names_reason(words))
    if told and (strict or null_path or (failed_by_title and ((daemon and said) or _speaks_to_sender(headers, gathered, words)))):
        return _failure_or_delay(seen)
    if _is_automatic(seen) and not daemon:
        return "auto_reply"
    if (daemon or signs.dialect) and ("success@subject" in seen or "success@text" in seen):
        return "delivered"
    return "not_bounce"


def _speaks_to_sender(headers: dict[str, str], gathered: Gathered, words: list[Claim]) -> bool:
    """Say whether a mail from no daemon's address may be a bounce: it speaks of "your message" or quotes a reply, and bears no tracker's tag."""
    if headers.get("subject", "").lstrip()[:1] == "[":
        return False
    return _YOUR_MAIL.search(gathered.text) is not None or any(claim.reply_code or claim.status for claim in words)


def _is_from_person(headers: dict[str, str], gathered: Gathered, titled: bool) -> bool:
    """Say whether a person wrote, answered or forwarded this: by the subject's prefix or by the mail client."""
    if _CLIENT.search(headers.get("user-agent", "") or headers.get("x-mailer", "")) is not None and "auto-submitted" not in headers:
        return True
    return _PERSON.match(headers.get("subject", "")) is not None and (not titled or _quotes(gathered))


def _is_automatic(seen: frozenset[str]) -> bool:
    return "auto_reply@header" in seen or "auto_reply@text" in seen


def _quotes(gathered: Gathered) -> bool:
    """Say whether a text answers another one."""
    return "in-reply-to" in gathered.headers or "references" in gathered.headers or _QUOTED.search(gathered.text) is not None


def _failure_or_delay(seen: frozenset[str]) -> Kind:
    if "delay@subject" in seen and "failure@subject" not in seen:
        return "delay"
    if "delay@text" in seen and "final@text" not in seen:
        return "delay"
    if "success@subject" in seen and not ("failure@text" in seen or "final@text" in seen or "failure@subject" in seen):
        return "delivered"
    return "bounce"


def _is_unsubscribe(headers: dict[str, str], seen: frozenset[str]) -> bool:
    if "x-apple-unsubscribe" in headers:
        return True
    return "unsubscribe@subject" in seen and _COMMAND.fullmatch(headers.get("subject", "")) is not None and "daemon@from" not in seen


def action_for(kind: Kind) -> str:
    """Return the Action that a message of this kind stands for where a recipient has none of its own."""
    return _ACTIONS.get(kind, "")


def success(action: str) -> bool:
    """Say whether an Action reports success."""
    return action in _SUCCESS
