"""Mails for the tests of the pipeline, made as they are wanted."""

from __future__ import annotations


def bounce(
    address: str, status: str = "5.1.1", action: str = "failed", reply: str = "550 5.1.1 User unknown", sender: str = "news@example.org"
) -> bytes:
    """Return a delivery status notification on one address."""
    return f"""From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
To: {sender}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <report.{address}>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system at host mx.example.org.

<{address}>: host mx.example.net[192.0.2.1] said: {reply} (in reply to RCPT TO command)

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: Mon, 23 Nov 2026 09:59:00 +0000

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; {reply}

--b
Content-Type: message/rfc822

From: {sender}
To: {address}
Subject: News
Message-ID: <news.{address}>

--b--
""".encode()


ORDINARY = b"From: Ann <ann@example.net>\nTo: news@example.org\nSubject: Lunch?\nDate: Mon, 23 Nov 2026 10:00:00 +0000\n\nOn Friday, at noon?\n"
