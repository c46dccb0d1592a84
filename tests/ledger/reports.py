"""Reports as the engine makes them, one line each."""

from __future__ import annotations

from hashlib import sha256
from itertools import count

from bounceparse.model import Original, Proof, Recipient, Report, Result, Verdict

NUMBERS = count(1)

VERDICTS = {
    "user_unknown": ("hard", "recipient", "5.1.1", "550"),
    "domain_unknown": ("hard", "recipient", "5.1.2", ""),
    "mailbox_disabled": ("hard", "recipient", "5.2.1", "550"),
    "mailbox_full": ("soft", "recipient", "5.2.2", "552"),
    "mailbox_rejects": ("soft", "recipient", "5.7.1", "550"),
    "network_error": ("soft", "network", "4.4.1", ""),
    "spam": ("soft", "message", "5.7.1", "554"),
    "blocklisted": ("soft", "sender", "5.7.1", "554"),
    "delivered": ("none", "unknown", "2.0.0", "250"),
    "feedback_complaint": ("none", "unknown", "", ""),
    "auto_reply": ("none", "unknown", "", ""),
}


def result(address: str, reason: str, certainty: str = "certain", action: str = "failed") -> Result:
    bounce, fault, status, code = VERDICTS[reason]
    said = f"{code} {status} <{address}>: {reason.replace('_', ' ')}".strip()
    recipient = Recipient(
        address=address, action=action, status=status, reply_code=code, diagnostic=said, command="RCPT", remote_mta="mx.example.net"
    )
    return Result(recipient, Verdict(bounce, reason, fault, certainty, f"status:{status}"))  # type: ignore[arg-type]


def report(
    *addresses: str,
    reason: str = "user_unknown",
    kind: str = "bounce",
    message: str = "",
    list_id: str = "",
    sender: str = "news@example.com",
    certainty: str = "certain",
    digest: str = "",
    proof: Proof | None = None,
) -> Report:
    """A report about some addresses; each has another message of ours in it, unless one is named."""
    action = {"delay": "delayed", "delivered": "delivered"}.get(kind, "failed")
    message = message or f"<{next(NUMBERS)}@example.com>"
    results = tuple(result(address, reason, certainty, action) for address in addresses)
    return Report(
        kind,  # type: ignore[arg-type]
        results,
        digest or sha256(f"{message} {kind} {addresses}".encode()).hexdigest(),
        "postfix",
        "mail.example.com",
        Original(message, sender, "November", "", list_id),
        "2026-11-23T09:59:00Z",
        proofs=(proof,) * len(results) if proof is not None else (),
    )
