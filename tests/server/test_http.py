"""The HTTP API against a real server: what it answers, whom it lets in, and that nothing costs more than it may."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from bounceparse.engine import default_engine
from bounceparse.intake.webhooks.mailgun import Mailgun
from bounceparse.ledger import Ledger
from bounceparse.policy import Policy
from bounceparse.server.access import Access, Place, Token
from bounceparse.server.routes import describe, ways
from bounceparse.server.serving import HttpServer
from bounceparse.server.work import Answer, Call, Work
from tests.server.running import Api, Reply, running
from tests.waiting import at_once
from tests.webhooks.signing import mailgun
from tests.webhooks.test_services import mailgun_event

FIXTURES = Path(__file__).parents[2] / "fixtures" / "bounces"
UNKNOWN = (FIXTURES / "postfix" / "01-user-unknown.eml").read_bytes()
SECRET = "a-signing-key-of-mailgun"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(str(tmp_path / "bounces.db")) as ledger:
        yield ledger


@pytest.fixture
def api(ledger: Ledger) -> Iterator[Api]:
    with running(Work(default_engine(), Policy.preset("default"), ledger, [Mailgun(SECRET)])) as api:
        yield api


def address_in(reply: Reply) -> str:
    return str(reply.json["records"][0]["recipient"])


def test_a_message_becomes_records(api: Api) -> None:
    reply = api("POST", "/v1/parse?origin=b.mbox%231", UNKNOWN)
    (record,) = reply.json["records"]
    assert (reply.status, record["schema"], record["origin"]) == (200, "bounceparse/1", "b.mbox#1")
    assert (record["bounce"], record["reason"]) == ("hard", "user_unknown")


def test_replies_get_verdicts_in_their_order(api: Api) -> None:
    reply = api("POST", "/v1/classify", {"replies": ["550 5.1.1 <a@example.com> user unknown", "552 5.2.2 mailbox full", ""]})
    assert [(one["bounce"], one["reason"]) for one in reply.json["verdicts"]] == [
        ("hard", "user_unknown"),
        ("soft", "mailbox_full"),
        ("soft", "undetermined"),
    ]
    assert reply.json["verdicts"][0]["recipient"] == "a@example.com"


def test_a_decision_changes_nothing_until_it_is_applied(api: Api, ledger: Ledger) -> None:
    address = address_in(api("POST", "/v1/parse", UNKNOWN))
    reply = api("POST", "/v1/decide", UNKNOWN)
    assert (reply.json["applied"], reply.json["decisions"][0]["action"]) == (False, "suppress")
    assert ledger.check(address) is None
    reply = api("POST", "/v1/decide?apply=true", UNKNOWN)
    assert (reply.json["applied"], reply.json["decisions"][0]["action"]) == (True, "suppress")
    assert ledger.check(address) is not None
    assert api("POST", "/v1/decide?apply=true", UNKNOWN).json["decisions"][0]["action"] == "ignore", "the same bounce counts once"
    assert api("POST", "/v1/decide", UNKNOWN).json["decisions"][0]["action"] == "ignore"


def test_a_suppression_is_put_looked_at_and_taken_back(api: Api) -> None:
    path = "/v1/suppressions/ann@example.org"
    assert api("GET", path).status == 404
    reply = api("PUT", path, {"reason": "manual", "why": "asked by telephone"})
    assert (reply.status, reply.json["address"], reply.json["why"], reply.json["added_by"]) == (201, "ann@example.org", "asked by telephone", "api")
    assert api("PUT", path, {}).status == 200
    assert api("GET", path).json["reason"] == "manual"
    assert api("GET", "/v1/suppressions/ANN@example.org").status == 200, "one person, however it is written"
    assert api("DELETE", path).status == 204
    assert api("DELETE", path).status == 404


def test_a_suppression_for_one_list_is_for_that_list(api: Api) -> None:
    path = "/v1/suppressions/ann@example.org"
    assert api("PUT", path, {"list": "news.example.com"}).json["scope"] == "list"
    assert api("GET", f"{path}?list=news.example.com").status == 200
    assert api("GET", f"{path}?list=other.example.com").status == 404
    assert api("PUT", path, {"list": "a.example", "sender": "b@example.com"}).status == 409
    assert api("PUT", path, {"until": "2001-01-01T00:00:00Z"}).status == 409


def test_an_address_may_hold_a_slash_and_other_odd_marks(api: Api) -> None:
    for address in ("a/b@example.org", "a%b+c=d@example.org", "{x}@example.org"):
        path = f"/v1/suppressions/{quote(address, safe='')}"
        assert api("PUT", path, {}).json["address"] == address
        assert api("DELETE", path).status == 204


def test_many_addresses_are_checked_at_once(api: Api) -> None:
    api("PUT", "/v1/suppressions/ann@example.org", {})
    reply = api("POST", "/v1/suppressions/check", {"addresses": ["Ann@Example.org", "bob@example.org", "no address"]})
    assert list(reply.json["suppressed"]) == ["Ann@Example.org"]
    assert reply.json["suppressed"]["Ann@Example.org"]["reason"] == "manual"


def test_events_and_alerts(api: Api) -> None:
    spam = (FIXTURES / "office365" / "06-spoof-dmarc-reject.eml").read_bytes()
    for mail in (UNKNOWN, spam):
        api("POST", "/v1/decide?apply=true&origin=test", mail)
    events = api("GET", "/v1/events").json
    assert [event["action"] for event in events["events"]] == ["suppress", "alert"] and not events["more"]
    assert [event["reason"] for event in api("GET", "/v1/events?action=suppress").json["events"]] == ["user_unknown"]
    assert api("GET", "/v1/events?limit=1").json["more"]
    assert api("GET", "/v1/events?since=2100-01-01T00:00:00Z").json["events"] == []
    assert [alert["count"] for alert in api("GET", "/v1/alerts").json["alerts"]] == [1]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/v1/nothing", None, {}, 404),
        ("GET", "/v1/parse", None, {}, 405),
        ("POST", "/v1/suppressions/a@example.org", {}, {}, 405),
        ("PUT", "/v1/suppressions/check", {}, {}, 405),
        ("POST", "/v1/parse", b"x", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/parse", b"x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/v1/classify", b"{}", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/classify", b"{", {"Content-Type": "application/json"}, 400),
        ("POST", "/v1/classify", b'{"replies":' + b"[" * 100_000, {"Content-Type": "application/json"}, 422),
        ("POST", "/v1/classify", {"replies": "550"}, {}, 422),
        ("POST", "/v1/classify", {"replies": []}, {}, 422),
        ("POST", "/v1/classify", {"replies": ["x"], "more": 1}, {}, 422),
        ("POST", "/v1/classify", {"replies": ["x"] * 1_001}, {}, 422),
        ("GET", "/v1/events?limit=0", None, {}, 400),
        ("GET", "/v1/events?limit=1&limit=2", None, {}, 400),
        ("GET", "/v1/events?nonsense=1", None, {}, 400),
        ("GET", "/v1/events?since=yesterday", None, {}, 400),
        ("GET", "/v1/events?since=17", None, {}, 400),
        ("PUT", "/v1/suppressions/@example.org", {}, {}, 422),
        ("PUT", "/v1/suppressions/ann@example.org", {"reason": "Robert'); DROP TABLE"}, {}, 422),
        ("POST", "/v1/webhooks/nobody", {}, {}, 404),
    ],
)
def test_what_cannot_be_served_is_told_in_json(api: Api, method: str, path: str, body: Any, headers: dict[str, str], status: int) -> None:
    reply = api(method, path, body, headers)
    assert reply.status == status
    assert set(reply.json) == {"error"} and reply.headers["content-type"] == "application/json"


def test_answers_are_not_kept_and_not_taken_for_pages(api: Api) -> None:
    headers = api("GET", "/healthz").headers
    assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_health_readiness_and_counts(api: Api, ledger: Ledger) -> None:
    assert api("GET", "/healthz").json == {"status": "ok"}
    assert api("GET", "/readyz").status == 200
    api("POST", "/v1/parse", UNKNOWN)
    counts = api("GET", "/metrics").body.decode()
    assert 'bounceparse_verdicts_total{bounce="hard",kind="bounce",reason="user_unknown"} 1.0' in counts
    assert 'bounceparse_http_requests_total{route="parse",status="200"} 1.0' in counts
    assert "example" not in counts, "no address"


def test_a_ledger_that_is_gone_makes_it_not_ready(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 100)
    with running(Work(default_engine(), Policy.preset("default"), Ledger(str(broken)))) as api:
        assert api("GET", "/healthz").status == 200
        assert (api("GET", "/readyz").status, api("GET", "/v1/alerts").status) == (503, 503)
        assert "broken" not in api("GET", "/v1/alerts").body.decode()
        assert api("POST", "/v1/parse", UNKNOWN).status == 200


# Webhooks


def test_a_webhook_becomes_a_suppression_and_counts_once(api: Api, ledger: Ledger) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    request = mailgun(mailgun_event(timestamp=now.timestamp()), at=now, secret=SECRET)
    reply = api("POST", "/v1/webhooks/mailgun", request.body, {"Content-Type": "application/json"})
    assert (reply.status, reply.json) == (200, {"recorded": 1, "replayed": 0, "ignored": 0})
    found = ledger.check("nobody@example.org")
    assert found is not None and found.reason == "user_unknown"
    (event,) = ledger.events()
    assert (event.origin, event.proof, event.proof_by) == ("webhook:mailgun", "proven", "webhook")
    assert api("POST", "/v1/webhooks/mailgun", request.body).json == {"recorded": 0, "replayed": 1, "ignored": 0}
    again = mailgun(mailgun_event(timestamp=now.timestamp()), at=now, secret=SECRET, token="another")
    assert api("POST", "/v1/webhooks/mailgun", again.body).json == {"recorded": 0, "replayed": 1, "ignored": 0}
    with running(Work(default_engine(), Policy.preset("default"), ledger, [Mailgun(SECRET)])) as restarted:
        assert restarted("POST", "/v1/webhooks/mailgun", again.body).json["recorded"] == 1
    (event,) = ledger.events()
    assert event.seen == 2, "after a restart the ledger knows it"


def test_a_complaint_holds_for_the_sender_that_the_file_names_where_the_event_names_none(ledger: Ledger) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    place = {"mailgun": Place("example.com", "news.example.com")}
    work = Work(default_engine(), Policy.preset("default"), ledger, [Mailgun(SECRET)], places=place)
    with running(work) as api:
        for number, kind in enumerate(("complained", "unsubscribed")):
            event = mailgun_event(event=kind, id=kind, recipient=f"{kind}@example.org", message={"headers": {}}, timestamp=now.timestamp())
            request = mailgun(event, at=now, secret=SECRET, token=str(number))
            assert api("POST", "/v1/webhooks/mailgun", request.body).json["recorded"] == 1
        assert api("GET", "/v1/suppressions/complained@example.org?sender=news@example.com").status == 200
        assert api("GET", "/v1/suppressions/complained@example.org?sender=other.example").status == 404
        assert api("GET", "/v1/suppressions/unsubscribed@example.org?list=news.example.com").status == 200


def test_a_forged_webhook_is_refused_and_counted(api: Api, ledger: Ledger) -> None:
    request = mailgun(mailgun_event(), secret="another")
    assert api("POST", "/v1/webhooks/mailgun", request.body).status == 401
    assert 'outcome="refused",service="mailgun"} 1.0' in api("GET", "/metrics").body.decode()
    assert list(ledger.events()) == []


def test_a_webhook_that_cannot_be_stored_comes_again(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    request = mailgun(mailgun_event(timestamp=now.timestamp()), at=now, secret=SECRET)
    path = tmp_path / "bounces.db"
    path.write_bytes(b"this is no database" * 100)
    with running(Work(default_engine(), Policy.preset("default"), Ledger(str(path)), [Mailgun(SECRET)])) as api:
        assert api("POST", "/v1/webhooks/mailgun", request.body).status == 503
        path.unlink()
        assert api("POST", "/v1/webhooks/mailgun", request.body).json["recorded"] == 1


# Who may come

TOKENS = {"reader": "read-read-read-read-read", "writer": "write-write-write-write", "parser": "parse-parse-parse-parse"}
ACCESS = Access(
    (
        Token("reader", sha256(TOKENS["reader"].encode()).digest(), frozenset({"read", "metrics"})),
        Token("writer", sha256(TOKENS["writer"].encode()).digest(), frozenset({"read", "write"})),
        Token("parser", sha256(TOKENS["parser"].encode()).digest(), frozenset({"parse"})),
    )
)


@pytest.fixture
def guarded(ledger: Ledger) -> Iterator[Api]:
    with running(Work(default_engine(), Policy.preset("default"), ledger, [Mailgun(SECRET)]), ACCESS) as api:
        yield api


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    [
        ("POST", "/v1/parse", UNKNOWN, {"parser"}),
        ("POST", "/v1/classify", {"replies": ["550"]}, {"parser"}),
        ("POST", "/v1/decide", UNKNOWN, {"parser"}),
        ("POST", "/v1/decide?apply=true", UNKNOWN, set()),
        ("GET", "/v1/events", None, {"reader", "writer"}),
        ("GET", "/v1/alerts", None, {"reader", "writer"}),
        ("POST", "/v1/suppressions/check", {"addresses": ["a@example.org"]}, {"reader", "writer"}),
        ("PUT", "/v1/suppressions/a@example.org", {}, {"writer"}),
        ("GET", "/metrics", None, {"reader"}),
    ],
)
def test_a_token_may_do_what_its_scopes_say(guarded: Api, method: str, path: str, body: Any, allowed: set[str]) -> None:
    for name, token in TOKENS.items():
        assert guarded(method, path, body, token=token).status in ((200, 201) if name in allowed else (403,)), name
    refused = guarded(method, path, body)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in ("x", TOKENS["parser"][:-1], TOKENS["parser"] + "x", "é"):
        assert guarded(method, path, body, headers={"Authorization": f"Bearer {wrong}"}).status == 401
    assert guarded(method, path, body, headers={"Authorization": f"Basic {TOKENS['writer']}"}).status == 401


def test_health_needs_no_token_and_who_did_it_is_noted(guarded: Api) -> None:
    assert (guarded("GET", "/healthz").status, guarded("GET", "/readyz").status) == (200, 200)
    assert guarded("PUT", "/v1/suppressions/a@example.org", {}, token=TOKENS["writer"]).json["added_by"] == "api:writer"


def test_nothing_of_a_body_is_read_before_the_token_is_good(guarded: Api) -> None:
    began = time.monotonic()
    head = b"POST /v1/parse HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/rfc822\r\nContent-Length: 20000000\r\nConnection: close\r\n\r\n"
    assert guarded.raw(head).startswith(b"HTTP/1.1 401")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1:80", "127.0.0.1.evil.example:80", ""])
def test_without_tokens_a_page_whose_name_points_here_is_refused(api: Api, host: str) -> None:
    assert api("GET", "/v1/alerts", headers={"Host": host}).status == 403
    assert api("POST", "/v1/webhooks/mailgun", {}, headers={"Host": host}).status == 401, "mail services have secrets of their own"


@pytest.mark.parametrize("host", ["localhost", "localhost:8025", "127.0.0.1:1", "[::1]:80", "[::1]"])
def test_without_tokens_the_loopback_interface_is_served(api: Api, host: str) -> None:
    assert api("GET", "/v1/alerts", headers={"Host": host}).status == 200


# Limits


def test_a_body_that_says_or_turns_out_to_be_too_large_is_refused(api: Api) -> None:
    head = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    assert api.raw(head + b"Content-Length: 99999999\r\n\r\n").startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    try:
        answer = api.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 400)
    except (BrokenPipeError, ConnectionResetError):  # it closes without reading on
        answer = b"HTTP/1.1 413"
    assert answer.startswith(b"HTTP/1.1 413")
    assert api("GET", "/healthz").status == 200


def test_a_body_that_does_not_come_is_not_waited_for(ledger: Ledger) -> None:
    with running(Work(default_engine(), Policy.preset("default"), ledger), reading=0.3) as api:
        head = b"POST /v1/parse HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/rfc822\r\nContent-Length: 100\r\nConnection: close\r\n\r\nFrom:"
        began = time.monotonic()
        assert api.raw(head).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 10


class Slow(Work):
    """Takes its time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.let_go = threading.Event()
        self.begun = threading.Semaphore(0)

    def alerts(self, call: Call) -> Answer:
        self.begun.release()
        self.let_go.wait(60)
        return super().alerts(call)


@pytest.fixture
def slow(ledger: Ledger) -> Iterator[Slow]:
    work = Slow(default_engine(), Policy.preset("default"), ledger)
    yield work
    work.let_go.set()


def test_too_much_at_once_is_told_to_come_again(slow: Slow) -> None:
    with running(slow, running=2) as api:
        found: list[Reply] = []
        threads = [threading.Thread(target=lambda: found.append(api("GET", "/v1/alerts"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert all(slow.begun.acquire(timeout=30) for _ in threads)
        reply = api("GET", "/v1/alerts")
        assert (reply.status, reply.json["error"], reply.headers["retry-after"]) == (503, "too much to do; come again", "5")
        assert api("GET", "/healthz").status == 200, "its health can always be asked for"
        slow.let_go.set()
        for thread in threads:
            thread.join(30)
        assert [reply.status for reply in found] == [200] * 2
        assert api("GET", "/v1/alerts").status == 200


def test_what_takes_too_long_is_told_to_come_again(slow: Slow) -> None:
    with running(slow, working=0.2) as api:
        reply = api("GET", "/v1/alerts")
        assert (reply.status, reply.json["error"], reply.headers["retry-after"]) == (503, "this took too long; come again", "5")


def test_an_error_of_the_program_is_one_line_in_the_log_and_tells_nobody_else(ledger: Ledger) -> None:
    class Broken(Work):
        def alerts(self, call: Call) -> Answer:
            raise RuntimeError("secret@example.org\nforged line")

    with running(Broken(default_engine(), Policy.preset("default"), ledger)) as api:
        reply = api("GET", "/v1/alerts")
        assert reply.status == 500 and b"secret" not in reply.body
        assert api("GET", "/healthz").status == 200
        lines = api.log.getvalue().splitlines()
        assert "RuntimeError at test_http.py" in lines[0] and "secret" not in api.log.getvalue()


def test_the_log_has_one_line_a_request_and_nothing_of_the_mail(api: Api) -> None:
    api("POST", "/v1/parse?origin=x%0Aforged", UNKNOWN)
    api("PUT", "/v1/suppressions/ann@example.org", {})
    api("GET", "/v1/nothing%0Aforged")
    lines = api.log.getvalue().splitlines()
    assert len(lines) == 2 and all(" http route=" in line for line in lines)
    assert "ann@" not in api.log.getvalue() and "forged" not in api.log.getvalue()


def test_it_stands_many_at_once(api: Api) -> None:
    assert at_once(lambda _: {api("POST", "/v1/parse", UNKNOWN).status for _ in range(10)}, range(8)) == [{200}] * 8


# The document


def test_the_document_describes_every_route_and_answers_keep_to_it(api: Api) -> None:
    document = api("GET", "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    routes = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert len(routes) == 13 and ("POST", "/v1/webhooks/{service}") in routes
    api("POST", "/v1/decide?apply=true", UNKNOWN)
    answers: list[tuple[str, str, Reply]] = [
        ("post", "/v1/parse", api("POST", "/v1/parse", UNKNOWN)),
        ("post", "/v1/classify", api("POST", "/v1/classify", {"replies": ["550 5.1.1 x"]})),
        ("post", "/v1/decide", api("POST", "/v1/decide", UNKNOWN)),
        ("put", "/v1/suppressions/{address}", api("PUT", "/v1/suppressions/ann@example.org", {})),
        ("get", "/v1/suppressions/{address}", api("GET", "/v1/suppressions/ann@example.org")),
        ("post", "/v1/suppressions/check", api("POST", "/v1/suppressions/check", {"addresses": ["ann@example.org"]})),
        ("get", "/v1/events", api("GET", "/v1/events")),
        ("get", "/v1/alerts", api("GET", "/v1/alerts")),
        ("get", "/v1/events", api("GET", "/v1/events?limit=x")),
    ]
    for method, path, reply in answers:
        schema = document["paths"][path][method]["responses"][str(reply.status)]["content"]["application/json"]["schema"]
        jsonschema.validate(reply.json, {**schema, "components": document["components"]}, cls=jsonschema.Draft202012Validator)


def test_every_schema_of_the_document_is_one() -> None:
    document = describe(ways(Work(default_engine(), Policy.preset("default"), None)), tokens=True)
    text = json.dumps(document)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"] and operation["operationId"]
            assert "Problem" in json.dumps(operation["responses"]) or operation["operationId"] == "getHealth"


def test_without_a_ledger_mail_is_read_all_the_same() -> None:
    with running(Work(default_engine(), Policy.preset("default"), None)) as api:
        assert api("POST", "/v1/parse", UNKNOWN).status == 200
        assert api("POST", "/v1/decide", UNKNOWN).json["decisions"][0]["action"] == "suppress"
        assert api("GET", "/readyz").status == 200
        assert (api("GET", "/v1/alerts").status, api("POST", "/v1/decide?apply=true", UNKNOWN).status) == (503, 503)


def test_head_and_body_of_an_answer_do_not_wait_for_each_other() -> None:
    """Without TCP_NODELAY each answer on a kept connection takes 40 ms; connections inherit it from the socket that listens."""

    async def idle(scope: Any, receive: Any, send: Any) -> None:
        return

    async def serve(opened: socket.socket) -> int:
        told = asyncio.Event()
        serving = asyncio.create_task(HttpServer(idle).run_on(opened, told))
        await asyncio.sleep(0)  # it runs until it first waits
        set_ = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        told.set()
        await serving
        return set_

    with socket.create_server(("127.0.0.1", 0)) as opened:
        assert asyncio.run(serve(opened)) != 0
