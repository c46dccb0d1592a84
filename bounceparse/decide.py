"""What to do with the address: one pure function of verdict, proof, history, policy and now. It knows no clock and no store.

The rule that keeps this file honest is one expression: an address is suppressed only when the fault is the recipient's (or the policy's network line,
or the person asked for it), the verdict is more than a guess, the proof is what the policy demands, the strikes of the line are reached, and its
domain is not in a storm. Everything else is recorded, reviewed, or an alert about the sender.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Final, Literal

from bounceparse.model import Decision, Held, History, Kind, Proof, ProofLevel, Recipient, Report, Result, Scope, Strike, Verdict
from bounceparse.policy import EVENTS, NETWORK, Line, Policy
from bounceparse.tables import load_tables
from bounceparse.text import squeeze

Event = Literal["failure", "delay", "delivered", "complaint", "unsubscribe", "other"]

_RANK: Final[dict[ProofLevel, int]] = {"contradicted": 0, "claimed": 1, "matched": 2, "proven": 3}
_REASON_OF: Final[dict[Event, str]] = {"complaint": EVENTS[0], "unsubscribe": EVENTS[1]}
_SIDES: Final = frozenset({"network", "receiver"})
_WHERE: Final[dict[Scope, str]] = {
    "everywhere": "",
    "domain": " or to anybody else in its domain",
    "sender": " from this sender",
    "list": " from this list",
}


def decide(
    verdict: Verdict,
    recipient: Recipient,
    proof: Proof,
    history: History,
    policy: Policy,
    now: datetime,
    *,
    kind: Kind = "bounce",
) -> Decision:
    """Return what to do with an address after one report about it.

    `now` is when the report was received, aware; `kind` is that of the report. `history` is that of `address_of(recipient, proof)` before this
    report. The same arguments give the same decision. Raises ValueError for a `now` without a time zone.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone; use datetime.now(UTC)")
    now = now.astimezone(UTC)
    return _Case(verdict, recipient, proof, history, policy, now, event_of(verdict, recipient, kind)).decide()


def address_of(recipient: Recipient, proof: Proof) -> str:
    """Return whom a report concerns: the address that we provably sent to, else the one that the report names."""
    return proof.recipient if proof.recipient and _RANK[proof.level] > 0 else recipient.address


def event_of(verdict: Verdict, recipient: Recipient, kind: Kind) -> Event:
    """Return what happened to one recipient of a report; a report of failures may name others that were reached or are late."""
    if kind in ("complaint", "unsubscribe"):
        return kind
    if kind not in ("bounce", "delay", "delivered"):
        return "other"
    if verdict.reason == "delivered":
        return "delivered"
    if verdict.bounce == "none":
        return "other"
    return "delay" if kind == "delay" or recipient.action == "delayed" else "failure"


def key_of(report: Report, result: Result, proof: Proof) -> str:
    """Return the idempotency key of a report and one of its results: 64 hexadecimal digits.

    The same failure of the same mail has the same key by whatever road its report comes, and as often as it comes. A report with more proof has
    another key than one with less, so that a forged one that comes first does not silence the true one.
    """
    return _key(report, result.recipient, proof, event_of(result.verdict, result.recipient, report.kind))


def delay_key_of(report: Report, result: Result, proof: Proof) -> str:
    """Return the key that a delay notice about the same mail and recipient has; `History.delay` holds it when one was recorded."""
    return _key(report, result.recipient, proof, "delay")


def _key(report: Report, recipient: Recipient, proof: Proof, event: Event) -> str:
    mail = proof.message or report.original.message_id
    if not mail and report.arrived:  # the fields that a bounce keeps when it is delivered again; its Received fields change
        mail = "\n".join((report.arrived, report.reporting_mta, recipient.status, recipient.diagnostic))
    parts = (
        proof.list or report.original.list_id,
        mail or report.digest,
        address_of(recipient, proof).casefold(),
        event if event != "other" else report.kind,
        proof.level,
    )
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


class _Case:
    """One report about one address, with everything that is known."""

    def __init__(self, verdict: Verdict, recipient: Recipient, proof: Proof, history: History, policy: Policy, now: datetime, event: Event) -> None:
        self.verdict = verdict
        self.recipient = recipient
        self.proof = proof
        self.history = history
        self.policy = policy
        self.now = now
        self.event = event
        self.address = address_of(recipient, proof)
        self.reason = _REASON_OF.get(event, verdict.reason)
        self.line = policy.line_of(self.reason)
        self.ours = verdict.fault in ("sender", "message") and proof.level != "contradicted"

    def decide(self) -> Decision:
        """Return the decision: the rows of the truth table, in their order."""
        who = self.address or "an address that the report does not name"
        if self.history.seen:
            return self.make("ignore", f"This report about {who} was counted before.")
        if self.event == "other":
            return self.make("ignore", f"{_meaning(self.reason)} This says nothing about whether {who} can be reached.")
        if self.event == "delivered":
            return self.deliver(who)
        if self.event == "delay":
            if self.ours:
                return self.alert(who)
            return self.make("record", f"Mail to {who} is late, and its host is still trying: {_lower(_meaning(self.reason))}")
        if not self.countable():
            if self.ours:
                return self.alert(who)
            return self.make("record", f"Mail to {who} failed, which is no reason to stop: {_lower(_meaning(self.reason))}")
        if not self.address:
            return self.make("record", f"The report does not say whom it is about: {_lower(_meaning(self.reason))}")
        line = self.line
        if line is None or not line.strikes or not self.is_said(line):
            return self.make("record", f"Mail to {who} failed, and the policy never stops for this: {_lower(_meaning(self.reason))}")
        return self.strike(line)

    def countable(self) -> bool:
        """Say whether this event may ever count against the address, whatever the policy says."""
        if self.event in _REASON_OF:
            return True
        verdict = self.verdict
        if verdict.reason in NETWORK:
            return verdict.fault in _SIDES
        if verdict.fault != "recipient":
            return False
        if verdict.bounce == "hard" or verdict.reason == "mailbox_full":
            return True
        return verdict.reason == "mailbox_rejects" and (self.recipient.reply_code or self.recipient.status)[:1] == "5"

    def is_said(self, line: Line) -> bool:
        """Say whether the reply, or the rule that read it, holds one of the words that a line asks for."""
        if not line.said:
            return True
        text = squeeze(f"{self.recipient.diagnostic} {self.verdict.rule}")
        return any(words.rstrip() in text for words in line.said)  # words may go on: "group", "groups"

    def strike(self, line: Line) -> Decision:
        """Return the decision on an event that counts: is it believed, are the strikes reached, and is its domain in a storm?"""
        who, policy, history = self.address, self.policy, self.history
        strikes = self.counted(line)
        days = len({_day(strike.at) for strike in strikes})
        short = self.shortfall(line)
        why = _lower(_meaning("" if self.reason == "syntax" else self.reason))
        reached = days >= max(line.strikes, line.days) and strikes[-1].at - strikes[0].at >= line.apart
        if not reached:
            if short:
                return self.make("record", f"Mail to {who} seems to have failed, but {short}; it is not counted.")
            return self.make(
                "record", f"Mail to {who} failed (time {days} of {max(line.strikes, line.days)} before it stops): {why}", strike=self.reason
            )
        if short:
            return self.make("review", f"A person has to look at {who} before mail stops, since {short}: {why}")
        if self.event == "failure" and policy.storm.breaks(history.domain_failing + 1, max(history.domain_known, 1)):
            domain = who.rpartition("@")[2]
            return self.make(
                "review",
                f"A person has to look at {who} before mail stops, since mail to {history.domain_failing} other addresses at {domain} failed "
                f"within {_span(policy.storm.within)} as well, which is more likely trouble of {domain} than of each of them: {why}",
                storm=True,
            )
        until = self.now + line.expires if line.expires else None
        for held in history.held:
            if _covers(held, line.scope, until):
                lasting = "for good" if held.until is None else f"until {_date(held.until)}"
                return self.make("record", f"No mail goes to {who} {lasting} already; now again {why}", strike=self.reason)
        end = f" until {_date(until)}" if until is not None else ""
        where = _WHERE[line.scope]
        count = f", as reports on {days} different days say." if days > 1 else "."
        return self.make("suppress", f"No more mail goes to {who}{where}{end}: {why[:-1]}{count}", until=until, scope=line.scope, strike=self.reason)

    def counted(self, line: Line) -> list[Strike]:
        """Return the strikes that count on a line, this one included and last; those of the same day are one."""
        history = self.history
        cleared = history.delivered
        earlier = sorted(
            (
                s
                for s in history.strikes
                if s.reason in line.reasons
                and s.at <= self.now
                and (cleared is None or s.at > cleared)
                and (line.scope != "list" or s.list == history.list)
                and (line.scope != "sender" or s.sender == history.sender)
            ),
            key=_at,
            reverse=True,
        )
        kept = [Strike(self.now, self.reason)]
        for strike in earlier:
            if self.policy.stale and kept[-1].at - strike.at > self.policy.stale:
                break
            if line.within and self.now - strike.at > line.within:
                break
            kept.append(strike)
        kept.reverse()
        return kept

    def shortfall(self, line: Line) -> str:
        """Return in words what the report lacks to be believed, "" when it lacks nothing."""
        proof = self.proof
        if proof.level == "contradicted":
            return "the report contradicts what was sent and may be forged"
        if self.verdict.certainty == "guess":
            return "the cause is only a guess"
        demanded: str = line.proof if line.proof != "auto" else self.policy.proof
        if demanded == "auto":
            demanded = "proven" if proof.keys else "claimed"
        if _RANK[_level(proof, self.now.date())] >= _RANK[demanded]:  # type: ignore[index]
            return ""
        if proof.until is not None and self.now.date() > proof.until:
            return "the return path of the report has expired"
        return "nothing in the report proves that it answers mail of ours"

    def deliver(self, who: str) -> Decision:
        """Return the decision on good news, which has to be as believable as bad news where proof is demanded."""
        demanded = self.policy.proof if self.policy.proof != "auto" else "proven" if self.proof.keys else "claimed"
        if not self.address or self.verdict.certainty == "guess" or _RANK[_level(self.proof, self.now.date())] < _RANK[demanded]:
            return self.make("record", f"Mail to {who} is said to have arrived; earlier failures still count.")
        return self.make("record", f"Mail to {who} arrived; earlier failures no longer count.", clears=True)

    def alert(self, who: str) -> Decision:
        """Return an alert: the sender has to mend something, the address is not to blame."""
        provider = _provider(self.verdict, self.recipient)
        at = f" at {provider}" if provider else ""
        named = f" ({self.verdict.blocklist})" if self.verdict.blocklist else ""
        done = "is held up" if self.event == "delay" else "was refused"
        return self.make("alert", f"Mail to {who} {done}{at} for a cause on our side{named}: {_lower(_meaning(self.reason))}", provider=provider)

    def make(
        self,
        action: Literal["suppress", "record", "review", "alert", "ignore"],
        because: str,
        *,
        until: datetime | None = None,
        scope: Scope = "everywhere",
        strike: str = "",
        clears: bool = False,
        storm: bool = False,
        provider: str = "",
    ) -> Decision:
        line = self.line.name if self.line is not None and (action in ("suppress", "review") or strike) else self.reason
        void = self.history.delay if self.event in ("failure", "delivered") and action != "ignore" else ""
        return Decision(
            action, until, because, self.history.key, f"{self.policy.name}/{line}", scope, self.address, strike, clears, storm, void, provider
        )


def _level(proof: Proof, today: date) -> ProofLevel:
    """Return how much a proof is worth on a day: a return path that is too old, or from a day to come, is only a claim."""
    if proof.until is not None and today > proof.until:
        return "claimed" if _RANK[proof.level] > 1 else proof.level
    if proof.made is not None and today < proof.made - timedelta(days=1):  # a day of grace for clocks
        return "claimed" if _RANK[proof.level] > 1 else proof.level
    return proof.level


def _covers(held: Held, scope: Scope, until: datetime | None) -> bool:
    """Say whether a suppression that holds already makes a new one useless."""
    wide = held.scope in (scope, "domain") or (held.scope == "everywhere" and scope != "domain")
    return wide and (held.until is None or (until is not None and held.until >= until))


def _provider(verdict: Verdict, recipient: Recipient) -> str:
    """Return whose rules were met: the provider whose mark spoke, else the owner of the remote host or of the domain, else that domain."""
    if verdict.rule.startswith("provider:"):
        return verdict.rule[9:].partition("/")[0]
    hosts = _hosts()
    for host in (recipient.remote_mta.lower(), recipient.address.rpartition("@")[2]):
        suffix = host
        while suffix:
            if suffix in hosts:
                return hosts[suffix]
            suffix = suffix.partition(".")[2]
    return recipient.address.rpartition("@")[2] or recipient.remote_mta.lower()


@cache
def _hosts() -> dict[str, str]:
    return {host: provider.key for provider in load_tables().providers for host in provider.hosts}


@cache
def _meaning(reason: str) -> str:
    """Return what a reason means, as one sentence."""
    if reason == EVENTS[1]:
        return "The recipient asked not to get this mail any more."
    if not reason:
        return "The address is written in a way that no address can be."
    known = load_tables().reasons.get(reason)
    text = known.meaning if known is not None else "The report names no cause."
    return text.replace("; ", ", ")


def _lower(sentence: str) -> str:
    """Return a sentence as it stands behind a colon; abbreviations keep their capitals."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _at(strike: Strike) -> datetime:
    return strike.at


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{span // timedelta(hours=1)} hours"
