"""Amazon SNS: foreign topics, baits for a server-side request, and subscriptions that nobody but a person confirms."""

from __future__ import annotations

import http.server
import threading
from datetime import timedelta
from typing import Any

import pytest

from bounceparse.engine import default_engine
from bounceparse.intake.webhooks import Receiver, RefusedError
from bounceparse.intake.webhooks import ses as module
from bounceparse.intake.webhooks.ses import Ses, fetch_certificate
from bounceparse.judge import Judge
from tests.webhooks.signing import CERTIFICATE, NOW, SUBSCRIBE, TOPIC, certificate, sns
from tests.webhooks.test_services import ses_bounce

BAITS = [
    "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://sns.eu-west-1.amazonaws.com.example.net/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://evil.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://s3.eu-west-1.amazonaws.com/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem\n",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem?x=1",
    "https://sns.eu-west-1.amazonaws.com/other.pem",
    "https://sns.eu-west-１.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
    "https://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "",
]


def taking(fetched: list[str], **options: Any) -> Receiver:
    def fetch(url: str) -> bytes:
        fetched.append(url)
        return certificate()

    tables = default_engine().tables
    return Receiver(Ses([TOPIC], fetch=fetch, **options), Judge(tables), tables)


def refusal(request: Any, **options: Any) -> tuple[int, list[str]]:
    fetched: list[str] = []
    with pytest.raises(RefusedError) as refused:
        taking(fetched, **options).receive(request, NOW)
    return refused.value.status, fetched


def test_a_foreign_topic_is_refused_although_its_signature_is_good() -> None:
    assert refusal(sns(ses_bounce(), TopicArn="arn:aws:sns:eu-west-1:999999999999:bounces")) == (403, [])


@pytest.mark.parametrize("url", BAITS)
def test_a_certificate_from_elsewhere_is_never_fetched(url: str) -> None:
    status, fetched = refusal(sns(ses_bounce(), SigningCertURL=url))
    assert status == 403 and not fetched
    with pytest.raises(ValueError, match="not at a host"):
        fetch_certificate(url)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/meta-data/", "https://evil.example/?Action=ConfirmSubscription&Token=x", ""])
def test_a_subscription_with_a_bait_is_refused(url: str) -> None:
    status, fetched = refusal(sns("", Type="SubscriptionConfirmation", Token="abc", SubscribeURL=url))
    assert status == 403 and fetched == [CERTIFICATE]


def test_a_subscription_is_left_to_a_person() -> None:
    fetched: list[str] = []
    received = taking(fetched).receive(sns("", Type="SubscriptionConfirmation", Token="abc", SubscribeURL=SUBSCRIBE), NOW)
    assert received.reports == () and SUBSCRIBE in received.remark and TOPIC in received.remark
    assert fetched == [CERTIFICATE], "nothing but the certificate was fetched"


def test_the_certificate_is_fetched_once() -> None:
    fetched: list[str] = []
    receiver = taking(fetched)
    for number in range(3):
        receiver.receive(sns(ses_bounce(), MessageId=str(number)), NOW)
    assert fetched == [CERTIFICATE]


def test_strangers_cannot_make_us_fetch_many() -> None:
    fetched: list[str] = []
    receiver = taking(fetched)
    for number in range(20):
        url = CERTIFICATE.replace("0123456789abcdef0123456789abcdef", f"{number:032x}")
        with pytest.raises(RefusedError):
            receiver.receive(sns(ses_bounce(), key=1, SigningCertURL=url), NOW)
    assert len(fetched) == module.FETCHES
    with pytest.raises(RefusedError, match="come again"):
        receiver.receive(sns(ses_bounce()), NOW)
    assert receiver.receive(sns(ses_bounce(), at=NOW + timedelta(minutes=2)), NOW + timedelta(minutes=2)).reports


def test_a_certificate_is_good_for_its_days_alone() -> None:
    receiver = taking([])
    assert receiver.receive(sns(ses_bounce()), NOW).reports
    for later in (timedelta(days=91), timedelta(days=-2)):
        with pytest.raises(RefusedError, match="not valid now"):
            taking([]).receive(sns(ses_bounce(), at=NOW + later), NOW + later)
    with pytest.raises(RefusedError, match="not valid now"):
        receiver.receive(sns(ses_bounce(), at=NOW + timedelta(days=91)), NOW + timedelta(days=91))


def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    import re

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setattr(module, "_CERTIFICATE", re.compile(r"http://127\.0\.0\.1:\d+/certificate"))
        with pytest.raises(OSError, match="302"):
            fetch_certificate(f"http://127.0.0.1:{server.server_port}/certificate")
    finally:
        server.shutdown()
        server.server_close()
    assert asked == ["/certificate"]


def test_version_1_is_taken_unless_it_is_forbidden() -> None:
    assert taking([]).receive(sns(ses_bounce(), version="1"), NOW).reports
    assert refusal(sns(ses_bounce(), version="1"), sha1=False) == (401, [])
    assert refusal(sns(ses_bounce(), version="2", SignatureVersion="3")) == (401, [])


def test_a_certificate_that_cannot_be_had_is_trouble_of_ours_and_may_be_tried_again() -> None:
    def fail(url: str) -> bytes:
        raise OSError("no route")

    tables = default_engine().tables
    with pytest.raises(RefusedError) as refused:
        Receiver(Ses([TOPIC], fetch=fail), Judge(tables), tables).receive(sns(ses_bounce()), NOW)
    assert refused.value.status == 503


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
def test_every_field_is_under_the_signature(field: str) -> None:
    request = sns(ses_bounce())
    other = {"Timestamp": "2026-03-02T09:00:01.000Z", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:others", "Type": "UnsubscribeConfirmation"}
    import json

    envelope = json.loads(request.body)
    envelope[field] = other.get(field, envelope[field] + "x")
    fetched: list[str] = []
    tables = default_engine().tables
    topics = [TOPIC, other["TopicArn"]]
    receiver = Receiver(Ses(topics, fetch=lambda url: certificate()), Judge(tables), tables)
    with pytest.raises(RefusedError) as refused:
        receiver.receive(type(request)(request.headers, json.dumps(envelope).encode()), NOW)
    assert refused.value.status == 401, fetched


def test_without_a_topic_there_is_no_service() -> None:
    with pytest.raises(ValueError, match="topic"):
        Ses([])


def test_the_retries_of_sns_fit_into_the_age() -> None:
    assert taking([]).receive(sns(ses_bounce(), at=NOW - timedelta(hours=1)), NOW).reports
