"""Each service: a genuine-shaped event is accepted and judged; unsigned, wrongly signed, old and replayed ones, and foreign topics, are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from bounceparse.engine import default_engine
from bounceparse.intake.webhooks import SERVICES, Receiver, RefusedError, Request, Service
from bounceparse.intake.webhooks.azure import Azure
from bounceparse.intake.webhooks.brevo import Brevo
from bounceparse.intake.webhooks.mailgun import Mailgun
from bounceparse.intake.webhooks.mailjet import Mailjet
from bounceparse.intake.webhooks.postmark import Postmark
from bounceparse.intake.webhooks.sendgrid import SendGrid
from bounceparse.intake.webhooks.ses import Ses
from bounceparse.intake.webhooks.sparkpost import SparkPost
from bounceparse.judge import Judge
from bounceparse.model import Report
from tests.webhooks.signing import NOW, SECRET, TOPIC, certificate, ec_public, mailgun, plain, sendgrid, sns

STAMP = int(NOW.timestamp())
UNKNOWN = "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in virtual mailbox table"
SPAM = "550 5.7.1 Message rejected as spam by Content Filtering."
AZURE_TOPIC = "/subscriptions/0000/resourceGroups/mail/providers/Microsoft.Communication/CommunicationServices/post"


def open_service(name: str) -> Service:
    services: dict[str, Callable[[], Service]] = {
        "ses": lambda: Ses([TOPIC], fetch=lambda url: certificate()),
        "sendgrid": lambda: SendGrid(ec_public()),
        "mailgun": lambda: Mailgun(SECRET),
        "postmark": lambda: Postmark(SECRET),
        "sparkpost": lambda: SparkPost(SECRET),
        "mailjet": lambda: Mailjet(SECRET),
        "brevo": lambda: Brevo(SECRET),
        "azure": lambda: Azure(SECRET, [AZURE_TOPIC]),
    }
    return services[name]()


def receiver(name: str) -> Receiver:
    tables = default_engine().tables
    return Receiver(open_service(name), Judge(tables), tables)


def ses_bounce(kind: str = "Permanent", sub: str = "General", diagnostic: str = f"smtp; {UNKNOWN}", status: str = "5.1.1") -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "mail": {
            "timestamp": "2026-03-02T08:59:00.000Z",
            "messageId": "0102018e-0000",
            "source": "news@example.com",
            "destination": ["nobody@example.org"],
            "headers": [{"name": "List-Id", "value": "<news.example.com>"}],
            "commonHeaders": {"from": ["News <news@example.com>"], "messageId": "<a1@example.com>", "subject": "March"},
        },
        "bounce": {
            "bounceType": kind,
            "bounceSubType": sub,
            "bouncedRecipients": [{"emailAddress": "nobody@example.org", "action": "failed", "status": status, "diagnosticCode": diagnostic}],
            "timestamp": "2026-03-02T08:59:30.000Z",
            "feedbackId": "0102018e-feed",
            "reportingMTA": "dns; a7-1.smtp-out.eu-west-1.amazonses.com",
        },
    }


def sendgrid_event(**more: Any) -> dict[str, Any]:
    event = {"email": "nobody@example.org", "timestamp": STAMP, "sg_event_id": "ev1", "sg_message_id": "msg1.filter-0", "smtp-id": "<a1@example.com>"}
    return event | more


def mailgun_event(**more: Any) -> dict[str, Any]:
    return {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": STAMP + 0.5,
        "recipient": "nobody@example.org",
        "delivery-status": {"code": 550, "message": UNKNOWN, "description": "", "mx-host": "mx.example.org", "attempt-no": 1},
        "message": {"headers": {"message-id": "a1@example.com", "from": "News <news@example.com>", "subject": "March"}},
    } | more


def postmark_event(**more: Any) -> dict[str, Any]:
    return {
        "RecordType": "Bounce",
        "ID": 42,
        "Type": "HardBounce",
        "TypeCode": 1,
        "MessageID": "00000000-0000-0000-0000-000000000000",
        "Details": f"smtp;{UNKNOWN}",
        "Email": "nobody@example.org",
        "From": "news@example.com",
        "BouncedAt": "2026-03-02T08:59:30.0000000Z",
        "Subject": "March",
    } | more


def sparkpost_event(**more: Any) -> list[Any]:
    event = {
        "type": "bounce",
        "bounce_class": "10",
        "error_code": "550",
        "event_id": "92356927693813856",
        "friendly_from": "news@example.com",
        "message_id": "000443ee14578172be22",
        "raw_reason": UNKNOWN,
        "reason": "550 5.1.1 [internal] user unknown",
        "rcpt_to": "nobody@example.org",
        "timestamp": str(STAMP - 30),
    } | more
    return [{"msys": {"message_event": event}}]


def mailjet_event(**more: Any) -> dict[str, Any]:
    return {
        "event": "bounce",
        "time": STAMP - 30,
        "MessageID": 19421777835146490,
        "Message_GUID": "1ab23cd4-e567",
        "email": "nobody@example.org",
        "hard_bounce": True,
        "blocked": False,
        "error_related_to": "recipient",
        "error": "user unknown",
        "comment": UNKNOWN,
    } | more


def brevo_event(**more: Any) -> dict[str, Any]:
    return {
        "event": "hard_bounce",
        "email": "nobody@example.org",
        "id": 26224,
        "message-id": "<a1@example.com>",
        "ts_event": STAMP - 30,
        "subject": "March",
        "reason": UNKNOWN,
    } | more


def azure_event(state: str = "Bounced", message: str = UNKNOWN, **more: Any) -> list[Any]:
    return [
        {
            "id": "00000000-0000-0000-0000-000000000001",
            "topic": AZURE_TOPIC,
            "eventType": "Microsoft.Communication.EmailDeliveryReportReceived",
            "eventTime": "2026-03-02T08:59:30.1234567Z",
            "data": {
                "sender": "news@example.com",
                "recipient": "nobody@example.org",
                "messageId": "00000000-0000-0000-0000-0000000000aa",
                "status": state,
                "deliveryStatusDetails": {"statusMessage": message},
                "deliveryAttemptTimeStamp": "2026-03-02T08:59:30.1234567+00:00",
            },
        }
        | more
    ]


class Genuine(NamedTuple):
    """How a service says that a user is unknown, and the same request in its bad forms."""

    good: Callable[[], Request]
    unsigned: Callable[[], Request]
    wrong: Callable[[], Request]
    old: Callable[[timedelta], Request]


GENUINE: dict[str, Genuine] = {
    "ses": Genuine(
        lambda: sns(ses_bounce()),
        lambda: sns(ses_bounce(), signed=False),
        lambda: sns(ses_bounce(), key=1),
        lambda by: sns(ses_bounce(), at=NOW - by),
    ),
    "sendgrid": Genuine(
        lambda: sendgrid([sendgrid_event(event="bounce", type="bounce", reason=UNKNOWN)]),
        lambda: sendgrid([sendgrid_event(event="bounce")], signed=False),
        lambda: sendgrid([sendgrid_event(event="bounce")], key=1),
        lambda by: sendgrid([sendgrid_event(event="bounce")], at=NOW - by),
    ),
    "mailgun": Genuine(
        lambda: mailgun(mailgun_event()),
        lambda: mailgun(mailgun_event(), signed=False),
        lambda: mailgun(mailgun_event(), secret="another"),
        lambda by: mailgun(mailgun_event(), at=NOW - by),
    ),
    "postmark": Genuine(
        lambda: plain(postmark_event()),
        lambda: plain(postmark_event(), way="none"),
        lambda: plain(postmark_event(), secret="another"),
        lambda by: plain(postmark_event(BouncedAt=(NOW - by).isoformat())),
    ),
    "sparkpost": Genuine(
        lambda: plain(sparkpost_event()),
        lambda: plain(sparkpost_event(), way="none"),
        lambda: plain(sparkpost_event(), secret="another", way="bearer"),
        lambda by: plain(sparkpost_event(timestamp=str((NOW - by).timestamp()))),
    ),
    "mailjet": Genuine(
        lambda: plain(mailjet_event()),
        lambda: plain(mailjet_event(), way="none"),
        lambda: plain([mailjet_event()], secret="another"),
        lambda by: plain([mailjet_event(time=int((NOW - by).timestamp()))]),
    ),
    "brevo": Genuine(
        lambda: plain(brevo_event(), way="bearer"),
        lambda: plain(brevo_event(), way="none"),
        lambda: plain(brevo_event(), secret="another", way="field"),
        lambda by: plain(brevo_event(ts_event=int((NOW - by).timestamp()))),
    ),
    "azure": Genuine(
        lambda: plain(azure_event(), way="field"),
        lambda: plain(azure_event(), way="none"),
        lambda: plain(azure_event(), secret="another", way="field"),
        lambda by: plain(azure_event(data=azure_event()[0]["data"] | {"deliveryAttemptTimeStamp": (NOW - by).isoformat()}), way="field"),
    ),
}


def test_every_service_is_here() -> None:
    assert set(SERVICES) == set(GENUINE)


@pytest.mark.parametrize("name", SERVICES)
def test_a_genuine_event_is_accepted_and_judged_by_its_reply(name: str) -> None:
    received = receiver(name).receive(GENUINE[name].good(), NOW)
    (report,) = received.reports
    (result,) = report.results
    assert (report.kind, result.recipient.address) == ("bounce", "nobody@example.org")
    assert (result.verdict.bounce, result.verdict.reason, result.verdict.fault) == ("hard", "user_unknown", "recipient")
    assert (result.recipient.status, result.recipient.reply_code) == ("5.1.1", "550")
    assert result.verdict.rule == "status:5.1.1" and result.verdict.certainty == "certain"
    assert report.arrived.startswith("2026-03-02T08:59") or report.arrived.startswith("2026-03-02T09:00")
    assert {evidence.source for evidence in result.recipient.evidence} == {"webhook"}
    assert [(proof.level, proof.by) for proof in report.proofs] == [("proven", "webhook")]


def refusal(name: str, request: Request) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        receiver(name).receive(request, NOW)
    assert SECRET not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("name", SERVICES)
def test_an_unsigned_request_is_refused(name: str) -> None:
    assert refusal(name, GENUINE[name].unsigned()).status == 401


@pytest.mark.parametrize("name", SERVICES)
def test_a_wrongly_signed_request_is_refused(name: str) -> None:
    assert refusal(name, GENUINE[name].wrong()).status == 401


@pytest.mark.parametrize("name", SERVICES)
def test_an_old_request_is_refused_and_so_is_one_from_a_time_to_come(name: str) -> None:
    age = timedelta(seconds=open_service(name).age)
    assert refusal(name, GENUINE[name].old(age + timedelta(minutes=1))).status == 403
    assert refusal(name, GENUINE[name].old(-timedelta(hours=1))).status == 403
    assert receiver(name).receive(GENUINE[name].old(age - timedelta(minutes=1)), NOW).reports


@pytest.mark.parametrize("name", SERVICES)
def test_a_replayed_request_counts_no_second_time(name: str) -> None:
    taking = receiver(name)
    first = taking.receive(GENUINE[name].good(), NOW)
    again = taking.receive(GENUINE[name].good(), NOW)
    assert again.reports == first.reports, "not stored yet: it may come again"
    taking.done(first, NOW)
    replayed = taking.receive(GENUINE[name].good(), NOW + timedelta(seconds=30))
    assert replayed.reports == () and replayed.replayed == 1


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("change", ["first", "middle", "last"])
def test_a_changed_signature_or_secret_is_refused(name: str, change: str) -> None:
    request = GENUINE[name].good()
    headers, body = dict(request.headers), request.body
    signature = next((key for key in ("x-twilio-email-event-webhook-signature", "authorization", "x-webhook-secret") if key in headers), "")
    text = headers[signature] if signature else json.loads(body).get("Signature") or json.loads(body)["signature"]["signature"]
    begin = 14 if text.startswith("Basic ") else 7 if text.startswith("Bearer ") else 0  # behind the scheme, and the user, whom nobody asks for
    at = {"first": begin, "middle": len(text) // 2, "last": len(text.rstrip("=")) - 2}[change]
    changed = text[:at] + ("b" if text[at] != "b" else "c") + text[at + 1 :]
    if signature:
        headers[signature] = changed
    else:
        body = body.replace(text.encode(), changed.encode())
    assert refusal(name, Request(headers, body)).status == 401


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"[1]", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"a":' * 5000, b"0" * 100])
def test_any_body_is_refused_or_tells_nothing(name: str, body: bytes) -> None:
    request = Request({"authorization": f"Bearer {SECRET}"}, body)
    try:
        received = receiver(name).receive(request, NOW)
    except RefusedError as refused:
        assert refused.status in (400, 401, 403)
    else:
        assert received.reports == ()


@pytest.mark.parametrize("name", SERVICES)
def test_a_body_that_is_too_large_is_refused(name: str) -> None:
    assert refusal(name, Request({}, b" " * (9 << 20))).status == 413


def verdict_of(name: str, request: Request) -> tuple[str, str, str, str]:
    (report,) = receiver(name).receive(request, NOW).reports
    verdict = report.results[0].verdict
    return report.kind, verdict.bounce, verdict.reason, verdict.certainty


SAYS: list[tuple[str, Request, tuple[str, str, str, str]]] = [
    # the reply is believed before the category: what is called permanent here is alive
    ("ses", sns(ses_bounce(diagnostic=f"smtp; {SPAM}", status="5.7.1")), ("bounce", "soft", "spam", "likely")),
    ("ses", sns(ses_bounce(diagnostic="", status="")), ("bounce", "hard", "user_unknown", "likely")),
    ("ses", sns(ses_bounce("Transient", "General", "", "")), ("bounce", "soft", "undetermined", "guess")),
    ("ses", sns(ses_bounce("Transient", "MailboxFull", "", "")), ("bounce", "soft", "mailbox_full", "likely")),
    ("ses", sns(ses_bounce("Transient", "General")), ("bounce", "soft", "user_unknown", "certain")),
    ("ses", sns(ses_bounce("Permanent", "OnAccountSuppressionList")), ("bounce", "hard", "suppressed", "likely")),
    ("sendgrid", sendgrid([sendgrid_event(event="delivered", response="250 OK")]), ("delivered", "none", "delivered", "certain")),
    ("sendgrid", sendgrid([sendgrid_event(event="deferred", response="450 4.2.1 try later")]), ("delay", "soft", "mailbox_disabled", "likely")),
    ("sendgrid", sendgrid([sendgrid_event(event="spamreport")]), ("complaint", "none", "feedback_complaint", "certain")),
    ("sendgrid", sendgrid([sendgrid_event(event="bounce", type="blocked", reason=UNKNOWN)]), ("bounce", "soft", "user_unknown", "guess")),
    ("sendgrid", sendgrid([sendgrid_event(event="dropped", reason="Bounced Address")]), ("bounce", "hard", "suppressed", "likely")),
    (
        "sendgrid",
        sendgrid([sendgrid_event(event="bounce", type="bounce", bounce_classification="Mailbox Unavailable")]),
        ("bounce", "soft", "mailbox_disabled", "guess"),
    ),
    ("mailgun", mailgun(mailgun_event(event="complained")), ("complaint", "none", "feedback_complaint", "certain")),
    ("mailgun", mailgun(mailgun_event(severity="temporary")), ("delay", "soft", "user_unknown", "certain")),
    ("mailgun", mailgun(mailgun_event(reason="suppress-bounce")), ("bounce", "hard", "suppressed", "likely")),
    ("mailgun", mailgun(mailgun_event(event="unsubscribed")), ("unsubscribe", "none", "auto_reply", "certain")),
    ("postmark", plain(postmark_event(TypeCode=512, Details="")), ("bounce", "soft", "spam", "likely")),
    ("postmark", plain(postmark_event(RecordType="SpamComplaint", TypeCode=100001)), ("complaint", "none", "feedback_complaint", "certain")),
    ("postmark", plain(postmark_event(TypeCode=64)), ("auto_reply", "none", "auto_reply", "certain")),
    ("postmark", plain(postmark_event(TypeCode=100000, Details="")), ("bounce", "hard", "syntax", "likely")),
    ("sparkpost", plain(sparkpost_event(type="delay", raw_reason="451 4.7.1 greylisted")), ("delay", "soft", "greylisted", "likely")),
    ("sparkpost", plain(sparkpost_event(bounce_class="22", raw_reason="", reason="")), ("bounce", "soft", "mailbox_full", "likely")),
    ("sparkpost", plain(sparkpost_event(type="spam_complaint")), ("complaint", "none", "feedback_complaint", "certain")),
    ("mailjet", plain(mailjet_event(hard_bounce=False, error="quota exceeded", comment="")), ("bounce", "soft", "mailbox_full", "likely")),
    ("mailjet", plain(mailjet_event(event="unsub")), ("unsubscribe", "none", "auto_reply", "certain")),
    ("brevo", plain(brevo_event(event="blocked", reason="blocked : due to blacklist user")), ("bounce", "hard", "suppressed", "likely")),
    ("brevo", plain(brevo_event(event="soft_bounce", reason=SPAM)), ("bounce", "soft", "spam", "likely")),
    ("azure", plain(azure_event("Delivered", "250 2.1.5 OK")), ("delivered", "none", "delivered", "certain")),
    ("azure", plain(azure_event("FilteredSpam", "")), ("bounce", "soft", "spam", "likely")),
    ("azure", plain(azure_event("Suppressed", "")), ("bounce", "hard", "suppressed", "likely")),
]


@pytest.mark.parametrize(("name", "request_", "expected"), SAYS, ids=[f"{n}-{number}" for number, (n, _, _) in enumerate(SAYS)])
def test_what_each_event_means(name: str, request_: Request, expected: tuple[str, str, str, str]) -> None:
    assert verdict_of(name, request_) == expected


@pytest.mark.parametrize("name", SERVICES)
def test_opens_and_clicks_tell_nothing(name: str) -> None:
    requests = {
        "ses": lambda: sns({"eventType": "Open", "mail": {}}),
        "sendgrid": lambda: sendgrid([sendgrid_event(event="open")]),
        "mailgun": lambda: mailgun(mailgun_event(event="opened")),
        "postmark": lambda: plain({"RecordType": "Open"}),
        "sparkpost": lambda: plain([{"msys": {"track_event": {"type": "click"}}}]),
        "mailjet": lambda: plain(mailjet_event(event="click")),
        "brevo": lambda: plain(brevo_event(event="click")),
        "azure": lambda: plain(azure_event(eventType="Microsoft.Communication.EmailEngagementTrackingReportReceived")),
    }
    received = receiver(name).receive(requests[name](), NOW)
    assert received.reports == () and received.ignored == 1


def test_a_complaint_that_names_several_is_a_guess() -> None:
    event = {
        "notificationType": "Complaint",
        "mail": {"messageId": "m1", "timestamp": "2026-03-02T08:59:00.000Z"},
        "complaint": {
            "complainedRecipients": [{"emailAddress": "a@example.org"}, {"emailAddress": "b@example.org"}],
            "timestamp": "2026-03-02T08:59:30.000Z",
            "feedbackId": "f1",
        },
    }
    reports: tuple[Report, ...] = receiver("ses").receive(sns(event), NOW).reports
    assert [report.results[0].verdict.certainty for report in reports] == ["guess", "guess"]
    event["complaint"]["complainedRecipients"].pop()  # type: ignore[index]
    assert receiver("ses").receive(sns(event), NOW).reports[0].results[0].verdict.certainty == "certain"


def test_a_copy_with_another_body_under_a_used_token_tells_nothing() -> None:
    taking = receiver("mailgun")
    taking.done(taking.receive(mailgun(mailgun_event()), NOW), NOW)
    forged = mailgun(mailgun_event(recipient="victim@example.org", id="another"))
    assert taking.receive(forged, NOW).reports == ()


def test_an_azure_topic_that_is_foreign_is_refused() -> None:
    assert refusal("azure", plain(azure_event(topic="/subscriptions/9999/other"), way="field")).status == 403


def test_event_grid_hears_its_code_only_with_the_secret() -> None:
    event = azure_event(
        eventType="Microsoft.EventGrid.SubscriptionValidationEvent",
        data={"validationCode": "512d38b6", "validationUrl": "http://169.254.169.254/latest/meta-data/"},
    )
    assert receiver("azure").receive(plain(event, way="field"), NOW).answer == {"validationResponse": "512d38b6"}
    assert refusal("azure", plain(event, way="none")).status == 401
