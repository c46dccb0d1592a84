"""Events of mail services that come by HTTP, verified and read into the same reports as mails (extra `webhooks`).

One small file a service. Nothing in here listens or fetches, but for the certificate of Amazon SNS.
"""

from __future__ import annotations

from bounceparse.intake.webhooks.receiver import Received, Receiver, Seen
from bounceparse.intake.webhooks.request import RefusedError, Request, Service
from bounceparse.intake.webhooks.told import Hint, Told, make_report

SERVICES = ("azure", "brevo", "mailgun", "mailjet", "postmark", "sendgrid", "ses", "sparkpost")

__all__ = ["SERVICES", "Hint", "Received", "Receiver", "RefusedError", "Request", "Seen", "Service", "Told", "make_report"]
