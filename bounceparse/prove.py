"""Did we send the mail that a report talks about, and to the address that it names? → Proof.

What each source can prove: a signed return path is known to one reader alone, so it proves that mail to that reader failed. An envelope id or
Message-ID of a mail that went to one recipient is `matched`; one of a mail to many, which every subscriber knows, stays a claim, and so do plain
VERP addresses, which anybody can write, and BATV tags, which all readers of a sender share. What names somebody else is contradicted, unless the
returned message shows that the mail was forwarded: then the address that we sent to is the one judged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from msgspec import Struct

from bounceparse.model import Proof, ProofBy, ProofLevel, Recipient, Report
from bounceparse.verp import Path, Verp, read_srs, unwrap
from bounceparse.wire.address import find_addresses

_HEADER: Final = 16_384  # characters of a returned message in which its readers are looked for
_READERS: Final = 50  # of them
_PATHS: Final = 20  # envelope recipients that are looked at


class SentMail(Protocol):
    """What was sent: an envelope id or Message-ID (with its angle brackets) → the addresses it went to.

    None says nothing; an empty collection says that we never sent such a mail, though the id looks like ours. It has to be safe to ask from where
    the engine is used.
    """

    def __call__(self, identity: str, /) -> Collection[str] | None: ...


class Trail(Struct, frozen=True):
    """What of a mail says whom it answers, beside its report."""

    paths: Sequence[str] = ()  # the addresses that the bounce was sent to
    envelope_id: str = ""  # Original-Envelope-Id
    returned: str = ""  # the returned message, at least its header


def prove(report: Report, trail: Trail, verp: Verp | None = None, sent: SentMail | None = None) -> tuple[Proof, ...]:
    """Return a proof for each result of a report; the age of a return path is left to `decide`, since nothing here has a clock."""
    return _Court(report, trail, verp, sent).proofs()


class _Court:
    def __init__(self, report: Report, trail: Trail, verp: Verp | None, sent: SentMail | None) -> None:
        self.report = report
        self.trail = trail
        self.verp = verp
        self.sent = sent
        self.keys = verp is not None and verp.signed
        self.alone = len(report.results) == 1
        self.unbelievable = False  # a path was forged, or lacks the tag that all of ours have

    def proofs(self) -> tuple[Proof, ...]:
        """Return the proof of each result, by the strongest source that says anything."""
        path = self.find_path()
        answer = None if path is not None and path.kind == "signed" else self.find_sent()
        return tuple([self.prove_one(recipient, path, answer) for recipient, _ in self.report.results])

    def find_path(self) -> Path | None:
        """Return the first return path of ours that is signed, or else plain, or else tagged; note when none is as it has to be."""
        verp = self.verp
        if verp is None:
            return None
        plain: Path | None = None
        tagged: Path | None = None
        forged = False
        for address in self.trail.paths[:_PATHS]:
            rewritten = read_srs(address)
            outer = rewritten.recipient if rewritten is not None else address
            if verp.batv and tagged is None:
                tagged = verp.read_tag(outer)
            for form in dict.fromkeys((address, unwrap(address))):
                path = verp.read(form)
                if path is not None and path.kind == "signed":
                    return path
                plain = plain or path
                forged = forged or (path is None and verp.looks_signed(form))
        self.unbelievable = forged or (bool(verp.batv) and tagged is None)
        return plain or tagged

    def find_sent(self) -> tuple[ProofBy, str, Collection[str]] | None:
        """Return what the sent mail says of the envelope id, or else of the Message-ID."""
        if self.sent is None:
            return None
        by: ProofBy
        for by, identity in (("envelope_id", self.trail.envelope_id), ("message_id", self.report.original.message_id)):
            found = self.sent(identity) if identity else None
            if found is not None:
                return by, identity, found
        return None

    def prove_one(self, recipient: Recipient, path: Path | None, answer: tuple[ProofBy, str, Collection[str]] | None) -> Proof:
        if path is not None and path.kind == "signed":
            return self.by_signature(recipient, path)
        if self.unbelievable:
            return Proof("contradicted", "batv" if self.verp is not None and not self.keys else "verp", keys=self.keys)
        if answer is not None:
            return self.by_sent(recipient, *answer)
        if path is not None and path.kind == "plain":
            return self.named(recipient, path.recipient, "claimed", "verp", list=path.list)
        if path is not None:
            return Proof("claimed", "batv", keys=self.keys)
        return Proof(keys=self.keys)

    def by_signature(self, recipient: Recipient, path: Path) -> Proof:
        """Return the proof of a signed return path, which was made for one address alone."""
        verp = self.verp
        assert verp is not None
        mine = _addresses(recipient)
        level: ProofLevel
        if verp.recipients is not None:
            owner = verp.recipients(path.id) or ""
            if not owner:
                return _signed(Proof("claimed", "verp", message=path.token, keys=self.keys), path)
            known = self.named(recipient, owner, "proven", "verp", path.token, path.list)
            return _signed(known, path)
        owner = verp.owner(path, mine)
        level = "proven"
        if not owner:
            owner = verp.owner(path, self.readers()) if self.alone else ""
            level = "proven" if owner else "contradicted"
        return _signed(Proof(level, "verp", owner, path.token, path.list, keys=self.keys), path)

    def by_sent(self, recipient: Recipient, by: ProofBy, identity: str, sent_to: Collection[str]) -> Proof:
        """Return the proof of an id that the sent mail knows."""
        if len(sent_to) == 1:
            return self.named(recipient, next(iter(sent_to)), "matched", by, identity)
        known = {address.casefold() for address in sent_to}
        owner = next((address for address in _addresses(recipient) if address.casefold() in known), "")
        if owner:
            return Proof("claimed", by, owner, identity, keys=self.keys)
        return Proof("contradicted", by, message=identity, keys=self.keys)

    def named(self, recipient: Recipient, owner: str, level: ProofLevel, by: ProofBy, message: str = "", list: str = "") -> Proof:
        """Return a proof that names one address: is it the one of the report, or was it forwarded from there?"""
        folded = owner.casefold()
        same = any(address.casefold() == folded for address in _addresses(recipient))
        if not same and not (self.alone and any(address.casefold() == folded for address in self.readers())):
            level = "contradicted"
        return Proof(level, by, owner, message, list, keys=self.keys)

    def readers(self) -> list[str]:
        """Return the addresses in the header of the returned message."""
        header = self.trail.returned.lstrip("\n")[:_HEADER].partition("\n\n")[0]
        return list(dict.fromkeys(find_addresses(header)))[:_READERS]


def _addresses(recipient: Recipient) -> list[str]:
    return [address for address in dict.fromkeys((recipient.address, recipient.original_address, recipient.final_address)) if address]


def _signed(proof: Proof, path: Path) -> Proof:
    """Return a proof with what a signed path says besides."""
    return Proof(proof.level, proof.by, proof.recipient, proof.message, path.list, path.purpose, proof.keys, path.made, path.until)
