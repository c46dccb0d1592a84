"""Recipient → verdict. What speaks before what is the one list below; every rule that speaks is a table entry, none is code.

Each step is one method under the same name as in the list; what they listen to is found in `hearing`.

Facts behind the order (RFC 3463, RFC 5321 4.2, and what mail servers do): the host that refused knows why, so its own token and its words come before
its codes; codes are assigned carelessly, words less so; a code that names no cause is the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final

from bounceparse import limits
from bounceparse.again import read_wait
from bounceparse.hearing import ADDRESS_IS_DEAD, CATCH_ALL, WITH_A_DEAD_ADDRESS, Case, Hearing
from bounceparse.landmarks import Landmarks, Match, landmarks_of, places_of
from bounceparse.model import Bounce, Certainty, Evidence, Fault, Recipient, Verdict
from bounceparse.replies import mask, read_masked_reply, read_phase
from bounceparse.tables import Reason, Reply, Status, Tables
from bounceparse.text import printable, squeeze
from bounceparse.wire.address import check_address

PRECEDENCE: Final = (
    "token",  # a mark of the provider that refused: chosen by it, and unambiguous
    "own words",  # words that the dialect alone uses, or a rule of the user
    "words",  # a phrase of the reply; of several the longest covers what is inside it, then the lowest rank of its reason wins
    "status",  # an enhanced status code that names a cause
    "system",  # error numbers, exit statuses and resolver results
    "weak words",  # words that many causes share
    "reply",  # the basic reply code in its phase, by words of its own
    "poor status",  # an enhanced status code that names little more than a subject
    "text",  # the words for people around the recipient
    "action",  # the report says that it was given up, or is late
    "class",  # nothing but the class digit
)
"""The order of belief: the first that has something to say is believed, the others only make it more or less certain."""

# Certainty: `certain` needs two that agree, or a token; `guess` is never hard.
_SURE: Final[Certainty] = "certain"
_LIKELY: Final[Certainty] = "likely"
_GUESS: Final[Certainty] = "guess"

_EARLY: Final = frozenset({"CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL"})
"""Phases before the recipient was named: no reply in them can be about the recipient."""
_OF_AUTH: Final = frozenset({"530", "534", "535", "538"})
"""Reply codes of the AUTH command alone (RFC 4954 6): a user unknown in one of them is the one who logs in."""
_ABOUT_RECIPIENT: Final = frozenset({"user_unknown", "mailbox_disabled", "mailbox_moved", "mailbox_rejects"})
_BEFORE_RCPT: Final[dict[str, tuple[str, Certainty]]] = {"MAIL": ("sender_rejected", _LIKELY), "AUTH": ("relay_denied", _LIKELY)}
"""Whom words about a user mean before the recipient was named."""
_EVENTS: Final = {
    "delivered": "delivered",
    "complaint": "feedback_complaint",
    "auto_reply": "auto_reply",
    "disposition": "auto_reply",
    "unsubscribe": "auto_reply",
    "challenge": "challenge_response",
}
_EVENT_REASONS: Final = frozenset(_EVENTS.values())
_SUCCESS: Final = frozenset({"delivered", "relayed", "expanded"})
_NAMING_A_LIST: Final = frozenset({"blocklisted", "reputation", "spam", "policy"})
_ANGLED: Final = re.compile(r"(?<![Ff][Rr][Oo][Mm]:)<([^\s<>@]{1,128}@[\w.-]{3,255})>")
_EXIT: Final = re.compile(r"(?:x unix|exit(?:ed)?(?: with)?(?: status| code| value)?|status|returned|ex) (\d{1,3})(?: |$)")
_WINSOCK: Final = re.compile(r" (?:winsock|socket|wsa|win32|error)[a-z ]{0,24} (1[01]\d{3}) ")
_ZONE: Final = re.compile(
    r"(?:using|listed (?:at|on|in|by)|blocked by|found in|rbl|dnsbl)[ :]+(?:https?://)?((?:[a-z0-9_-]{1,63}\.){1,6}[a-z]{2,24})\b", re.A
)
"""Read in lower case, since a pattern that ignores case is slow to find its beginning."""


class _Finding:
    """What one step has to say."""

    __slots__ = ("certainty", "fault", "reason", "rule", "temporary")

    def __init__(self, reason: str, rule: str, certainty: Certainty, fault: str = "", temporary: bool = False) -> None:
        self.reason = reason
        self.rule = rule
        self.certainty = certainty
        self.fault = fault
        self.temporary = temporary


_Opinion = tuple[Bounce, str, Fault, Certainty, str, int | None, str | None]
"""A verdict without its evidence; the blocklist is None where a zone is to be looked for."""


class Judge:
    """The opinion of one set of tables; reusable, safe to share between threads."""

    def __init__(self, tables: Tables, landmarks: Landmarks | None = None) -> None:
        self._tables = tables
        self._landmarks = landmarks if landmarks is not None else landmarks_of(tables)
        self._hearing = Hearing(tables, self._landmarks)
        self._ranks = {name: reason.rank for name, reason in tables.reasons.items()}
        self._hosts = {host: provider.key for provider in tables.providers for host in provider.hosts}
        self._known_hosts = self._hosts.keys() | {host for vendors in tables.vendors.values() for vendor in vendors for host in vendor.hosts}
        self._decide = lru_cache(maxsize=4_096)(self._weigh)  # a few hundred wordings make up most of a day's bounces: three steps in four saved
        steps: dict[str, Callable[[Case], _Finding | None]] = {
            "token": self._token,
            "own words": self._own_words,
            "words": self._strong_words,
            "status": self._telling_status,
            "weak words": self._weak_words,
            "system": self._system,
            "reply": self._reply,
            "poor status": self._poor_status,
            "text": self._text,
        }
        self._steps = [steps[name] for name in PRECEDENCE if name in steps]

    def judge(self, recipient: Recipient, *, kind: str = "bounce", text: str = "", dialect: str = "", ceiling: Certainty = _SURE) -> Verdict:
        """Return the opinion on one recipient.

        `kind` is that of the message; `text` what is written for people around the recipient, heard when the diagnostic says nothing; `dialect` the
        name of the one that was recognised; `ceiling` the highest certainty that the state of the mail allows, `guess` for one that was cut inside
        its evidence, since the words that know better may be gone. Total: any text gives a verdict.
        """
        event = _EVENTS.get(kind)
        if event is not None or (recipient.action in _SUCCESS and (recipient.status or recipient.reply_code)[:1] not in ("4", "5")):
            return self._event(recipient, event or "delivered", kind, ceiling)
        return self._judge(recipient, recipient.diagnostic, kind, text, dialect, ceiling, False)

    def classify(self, text: str) -> tuple[Recipient, Verdict]:
        """Return the facts and the opinion for one bare SMTP reply, or a line of a log that quotes one."""
        diagnostic = printable(text.strip(), limits.DIAGNOSTIC)
        plain, _ = mask(diagnostic)
        code, status, _ = read_masked_reply(plain)
        named = _ANGLED.findall(diagnostic)
        recipient = Recipient(
            check_address(named[0]) if len(named) == 1 else "",
            status=status,
            reply_code=code,
            diagnostic=diagnostic,
            command=read_phase(diagnostic),
            evidence=(Evidence("text", "text", diagnostic, (0, 0)),),
        )
        if (code or status)[:1] == "2":
            return recipient, self._event(recipient, "delivered", "delivered")
        return recipient, self._judge(recipient, diagnostic, "bounce", "", "", _SURE, True)

    def _event(self, recipient: Recipient, reason: str, kind: str, ceiling: Certainty = _SURE) -> Verdict:
        entry = self._tables.reasons[reason]
        bounce: Bounce = "none" if entry.bounce == "none" else "soft"
        return Verdict(bounce, reason, entry.fault, ceiling, f"action:{recipient.action or kind}", recipient.evidence)

    def _judge(self, recipient: Recipient, diagnostic: str, kind: str, text: str, dialect: str, ceiling: Certainty, bare: bool) -> Verdict:
        plain, links = mask(diagnostic)
        code, host = recipient.reply_code, recipient.remote_mta
        while host and host not in self._known_hosts:
            host = host.partition(".")[2]
        expired = len(diagnostic) < 12 and diagnostic.strip(" .").lower() == "expired"
        late = kind == "delay" or recipient.action == "delayed"
        text = "" if code else text[: limits.DIAGNOSTIC]
        facts = (plain, links, code, recipient.status, recipient.command, host, dialect)
        heard = text if text and _is_mute(plain) else ""
        opinion = self._decide(*facts, heard, bare, expired, late, ceiling)
        if text and not heard and opinion[1] == "undetermined" and not recipient.status:
            opinion = self._decide(*facts, text, bare, expired, late, ceiling)
        bounce, name, fault, certainty, rule, retry, blocklist = opinion
        if blocklist is None:
            zone = _ZONE.search(diagnostic.lower())
            blocklist = zone[1] if zone is not None else ""
        return Verdict(bounce, name, fault, certainty, rule, _because(recipient.evidence, rule), retry, blocklist)

    def _weigh(
        self,
        plain: str,
        links: str,
        code: str,
        status: str,
        phase: str,
        host: str,
        dialect: str,
        text: str,
        bare: bool,
        expired: bool,
        late: bool,
        ceiling: Certainty,
    ) -> _Opinion:
        """Return the opinion on a reply, whoever it was about: `plain` is without addresses, `host` the refusing one where the tables know it.

        Asked through an LRU cache, so it sees nothing that tells one recipient from another.
        """
        if not phase and code in _OF_AUTH and status[2:4] not in ("1.", "2."):
            phase = "AUTH"
        case = Case(plain, links, code, status, phase, host, dialect, text, bare)
        self._hearing.listen(case)
        for step in self._steps:
            finding = step(case)
            if finding is not None:
                break
        else:
            if expired:
                finding = _Finding("expired", "action:expired", _LIKELY)
            else:
                finding = _Finding("undetermined", f"class:{case.klass}" if case.klass else "class:", _GUESS)
        return self._opinion(case, finding, late, ceiling)

    # The steps, in the order of PRECEDENCE.

    def _token(self, case: Case) -> _Finding | None:
        tokens = self._landmarks.tokens
        places: dict[int, list[int]] | None = None
        known: set[str] | None = None
        best = None
        for literal, start, end in case.hits:
            if literal not in tokens:
                continue
            for earlier, provider, token in tokens[literal]:
                if token.reply_class and case.klass and token.reply_class != case.klass:
                    continue
                if token.phases and case.phase and case.phase not in token.phases:
                    continue
                if known is None:
                    known = self._providers(case)
                if provider.key not in known:
                    continue
                begin = start
                if earlier:
                    if places is None:
                        places = places_of(case.hits)
                    begin = self._landmarks.first_piece(places, earlier, start)
                    if begin < 0:
                        continue
                weight = (token.own, end - begin)
                if best is None or weight > best[0]:
                    best = (weight, token)
        if best is None:
            return None
        token = best[1]
        return _Finding(token.reason, f"provider:{token.id}", _SURE, token.fault, token.temporary)

    def _providers(self, case: Case) -> set[str]:
        """Return the keys of the providers that the text or the refusing host names."""
        marks = self._landmarks.marks
        known: set[str] = set()
        for literal, _, _ in case.hits:
            if literal in marks:
                known.update(marks[literal])
        host = case.host
        while host:
            key = self._hosts.get(host)
            if key is not None:
                known.add(key)
            host = host.partition(".")[2]
        return known

    def _own_words(self, case: Case) -> _Finding | None:
        own = [match for match in case.found if match.phrase.own or match.phrase.dialect]
        if not own:
            return None
        phrase = self._best(own, case).phrase
        rule = f"dialect:{phrase.id}" if phrase.dialect else f"phrase:{phrase.id}"
        return _Finding(phrase.reason, rule, _LIKELY if phrase.weak else _SURE, phrase.fault, phrase.temporary)

    def _strong_words(self, case: Case) -> _Finding | None:
        strong = [match for match in case.found if not match.phrase.weak]
        if not strong:
            return None
        phrase = self._best(strong, case).phrase
        status, reason = self._status_reason(case)
        if phrase.reason in ADDRESS_IS_DEAD:
            phrase = next((match.phrase for match in strong if match.phrase.reason == "sender_rejected"), phrase)  # the one who was verified
        if phrase.reason in ADDRESS_IS_DEAD and reason not in ADDRESS_IS_DEAD:
            others = [match for match in strong if match.phrase.temporary or match.phrase.reason not in WITH_A_DEAD_ADDRESS]
            if others:  # "poor reputation: 12 % of your recipients are unknown users"; what code and words agree on comes first
                phrase = self._best([match for match in others if match.phrase.reason == reason] or others, case).phrase
        if phrase.reason == reason:
            agreed = _SURE if status is not None and status.confidence != "low" else _LIKELY
            return _Finding(reason, f"status:{case.status}", agreed, phrase.fault, phrase.temporary)
        if status is not None and status.confidence == "high" and reason not in _EVENT_REASONS:
            fault = status.fault or self._tables.reasons[reason].fault
            if (phrase.reason in CATCH_ALL and not phrase.temporary) or (phrase.reason in ADDRESS_IS_DEAD and fault == "sender"):
                # "5.1.1 administrative prohibition: country not accepted" is no word of a dead address
                agreed = _GUESS if phrase.reason in CATCH_ALL and reason in ADDRESS_IS_DEAD else _LIKELY
                return _Finding(reason, f"status:{case.status}", agreed, status.fault)
        agree = status is None and case.code[:1] == "5" and phrase.reason in _ABOUT_RECIPIENT and self._fits(case, phrase.reason)
        rule = phrase.id.replace("/", ":", 1) if phrase.id.startswith("blocklist/") else f"phrase:{phrase.id}"
        return _Finding(phrase.reason, rule, _SURE if agree else _LIKELY, phrase.fault, phrase.temporary)

    def _fits(self, case: Case, reason: str) -> bool:
        """Say whether the basic reply code can have this reason."""
        return any(meaning.reason == reason for meaning in self._tables.replies.get(case.code, ()))

    def _tolerates(self, case: Case) -> bool:
        """Say whether the enhanced status code leaves room for a cause at the recipient."""
        status, reason = self._status_reason(case)
        return status is None or case.status[2:] == "5.0" or (status.fault or self._tables.reasons[reason].fault) == "recipient"

    def _telling_status(self, case: Case) -> _Finding | None:
        status, reason = self._status_reason(case)
        if status is None or status.confidence == "low" or reason in _EVENT_REASONS:
            return None
        if case.phase in _EARLY and reason in _ABOUT_RECIPIENT:
            return None
        weak = [match.phrase.reason for match in case.found]
        certainty = _SURE if status.confidence == "high" and not (weak and reason not in weak) else _LIKELY
        if case.doubtful and reason in ADDRESS_IS_DEAD:
            certainty = _GUESS
        return _Finding(reason, f"status:{case.status}", certainty, status.fault)

    def _weak_words(self, case: Case) -> _Finding | None:
        weak = [match for match in case.found if match.phrase.reason != "undetermined" and (case.bare or match.phrase.reason not in _EVENT_REASONS)]
        if not weak:
            return None
        phrase = self._best(weak, case).phrase
        if phrase.reason in _EVENT_REASONS and (case.code or case.status):
            return None
        doubtful = case.doubtful and phrase.reason in ADDRESS_IS_DEAD
        agree = case.klass == "5" and self._fits(case, phrase.reason) and self._tolerates(case) and not doubtful
        return _Finding(phrase.reason, f"phrase:{phrase.id}", _LIKELY if agree else _GUESS, phrase.fault, phrase.temporary)

    def _system(self, case: Case) -> _Finding | None:
        system = self._landmarks.system
        for literal, _, _ in case.hits:
            if literal in system:
                result = self._tables.system[system[literal][0]]
                if case.doubtful and result.reason in ADDRESS_IS_DEAD:
                    continue
                return _Finding(result.reason, f"system:{result.id.replace(':', '/')}", _LIKELY)
        number = _WINSOCK.search(case.words)
        if number is not None:
            known = self._tables.system.get(f"winsock:{number[1]}")
            if known is not None:
                return _Finding(known.reason, f"system:winsock/{number[1]}", _LIKELY)
        match = _EXIT.search(case.words)
        if match is not None:
            known = self._tables.system.get(f"exit:{match[1]}")
            if known is not None:
                return _Finding(known.reason, f"system:exit/{match[1]}", _LIKELY)
        return None

    def _reply(self, case: Case) -> _Finding | None:
        """Take the reply code for what its phase and words make of it; a default alone says nothing while there are words that nobody knows."""
        meanings = self._tables.replies.get(case.code)
        if meanings is None:
            return None
        phase = case.phase
        chosen: Reply | None = None
        denied = any(match.phrase.reason == "undetermined" for match in case.found)  # such as "not blacklisted": the word alone says nothing
        for meaning in meanings:
            if denied or not meaning.words or (meaning.phases and phase and phase not in meaning.phases):
                continue
            if any(word in case.words for word in meaning.words):
                chosen = meaning
                break
        if chosen is None and phase:
            chosen = next((meaning for meaning in meanings if not meaning.words and phase in meaning.phases), None)
            if chosen is not None and chosen.reason in _ABOUT_RECIPIENT:
                chosen = None
        if chosen is None or chosen.reason in _EVENT_REASONS or chosen.reason == "undetermined":
            return None
        return _Finding(chosen.reason, f"reply:{case.code}@{phase.lower() or 'any'}", _GUESS, chosen.fault)

    def _poor_status(self, case: Case) -> _Finding | None:
        status, reason = self._status_reason(case)
        if status is None or reason in _EVENT_REASONS or reason == "undetermined":
            return None
        return _Finding(reason, f"status:{case.status}", _GUESS, status.fault)

    def _text(self, case: Case) -> _Finding | None:
        if not case.text:
            return None
        plain, links = mask(case.text)
        around = Case(plain, links, case.code, case.status, case.phase, case.host, case.dialect, "", case.bare)
        self._hearing.listen(around)
        case.temporary = case.temporary or around.temporary
        strong = [match for match in around.found if not match.phrase.weak and match.phrase.reason not in _EVENT_REASONS]
        if not strong:
            return None
        phrase = self._best(strong, case).phrase
        apart = phrase.reason in ADDRESS_IS_DEAD and not _is_mute(case.plain)  # what stands beside the recipient says something else
        return _Finding(phrase.reason, f"phrase:{phrase.id}", _GUESS if apart else _LIKELY, phrase.fault, phrase.temporary)

    # Shared by the steps.

    def _best(self, matches: list[Match], case: Case) -> Match:
        """Return the match whose reason has the lowest rank, then the longest; recipient-side reasons cannot come from a phase before RCPT."""
        if len(matches) == 1 and case.phase not in _EARLY:
            return matches[0]
        ranks = self._ranks
        early = case.phase in _EARLY

        def weight(match: Match) -> tuple[bool, bool, int, int]:
            phrase = match.phrase
            return (early and phrase.reason in _ABOUT_RECIPIENT, not phrase.own, ranks[phrase.reason], match.start - match.end)

        return min(matches, key=weight)

    def _status_reason(self, case: Case) -> tuple[Status | None, str]:
        """Return the table's entry for the enhanced status code and the reason it gives, (None, "") for a code that names nothing."""
        code = case.status
        detail = code[2:]
        if not detail or detail == "0.0":
            return None, ""
        tables = self._tables
        vendors = tables.vendors.get(detail)
        if vendors is not None:
            host = f".{case.host}"
            marks = self._landmarks.vendors
            present = {name for literal, _, _ in case.hits if literal in marks for name in marks[literal]}
            for vendor in vendors:
                if vendor.code[0] not in ("X", code[0]):
                    continue
                if vendor.vendor in present or (len(host) > 1 and host.endswith(self._dotted(vendor.hosts))):
                    return Status(vendor.code, vendor.title, vendor.reason, confidence="high", fault=vendor.fault), vendor.reason
                if len(detail) == 5 and len({one.vendor for one in vendors}) == 1:  # the registry has none of three digits: it is that vendor's
                    return Status(vendor.code, vendor.title, vendor.reason, confidence="medium", fault=vendor.fault), vendor.reason
        status = tables.statuses.get(detail)
        if status is None:
            status = tables.statuses.get(f"{detail.partition('.')[0]}.0")
            if status is None:
                return None, ""
            status = Status(status.code, status.title, status.reason, status.reason_4, status.reason_5, "low", status.fault)
        return status, (status.reason_4 if code[0] == "4" else status.reason_5) or status.reason

    @staticmethod
    @cache
    def _dotted(hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Return host suffixes with a dot before each, so that notexample.com is not taken for example.com."""
        return tuple(f".{host}" for host in hosts)

    def _opinion(self, case: Case, finding: _Finding, late: bool, ceiling: Certainty) -> _Opinion:
        name, rule, certainty = finding.reason, finding.rule, finding.certainty
        if ceiling == _GUESS or (ceiling == _LIKELY and certainty == _SURE):
            certainty = ceiling
        if case.phase in _EARLY and (name in _ABOUT_RECIPIENT or (name == "domain_unknown" and case.phase == "MAIL")) and rule[:5] != "provi":
            name, certainty = _BEFORE_RCPT.get(case.phase, ("policy", _GUESS))
        reason: Reason = self._tables.reasons[name]
        fault: Fault = finding.fault or reason.fault  # type: ignore[assignment]
        bounce: Bounce = "soft"
        if reason.bounce == "none":
            bounce = "none"
        elif fault == "recipient" and (reason.bounce != "soft" or name == "syntax"):
            bounce = "hard"
        if bounce == "hard" and (case.klass == "4" or certainty == _GUESS or finding.temporary or case.temporary or late):
            bounce = "soft"
        retry = read_wait(case.words) if case.klass != "5" or name in ("greylisted", "rate_limited") else None
        blocklist = self._blocklist(case) if name in _NAMING_A_LIST else ""
        return bounce, name, fault, certainty, rule, retry, blocklist

    def _blocklist(self, case: Case) -> str | None:
        """Return the name of the list that the reply names: the longest one in the tables; None when a zone may stand after words such as `using`."""
        lists = self._landmarks.blocklists
        best, length = "", 0
        for literal, start, end in case.hits:
            if literal in lists and end - start > length:
                best, length = lists[literal][0].title, end - start
        return best if best or not case.found else None


def _is_mute(plain: str) -> bool:
    """Say whether a diagnostic says nothing at all, so that the text around the recipient is heard."""
    return not squeeze(plain).strip()


def _because(evidence: tuple[Evidence, ...], rule: str) -> tuple[Evidence, ...]:
    """Return the evidence that the rule speaks of: the Status field for a status rule, otherwise what was said; all of it when neither is there."""
    if len(evidence) < 2:
        return evidence
    if rule.startswith("status:"):
        code = rule[7:]
        chosen = tuple([one for one in evidence if code in one.value])
    elif rule.startswith(("action:", "class:")):
        chosen = tuple([one for one in evidence if one.field in ("Action", "Status")])
    else:
        chosen = tuple([one for one in evidence if one.field not in ("Status", "Action", "Final-Recipient", "Original-Recipient")])
    return chosen or evidence
