"""Kinds: mail that speaks of failures without being a bounce, and short bounces without any of the usual marks."""

from __future__ import annotations

import pytest

from bounceparse.engine import parse


def mail(sender: str, subject: str, body: str, extra: str = "") -> bytes:
    path = sender.rpartition("<")[2].strip(">")
    return (
        f"Return-Path: <{path}>\nFrom: {sender}\nTo: me@home.example\nSubject: {subject}\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n"
        f"Message-ID: <1@a.example>\n{extra}\n{body}\n"
    ).encode()


ORDINARY = {
    "parcel": mail(
        "Post <noreply@parcel.example>",
        "Delivery failed: we missed you",
        "Your parcel could not be delivered today. Please contact info@parcel.example or reschedule.",
    ),
    "order": mail(
        "Shop <orders@shop.example>",
        "Your order could not be delivered",
        "Dear customer,\n\nthe delivery to your address failed. It will be returned to sender.\nQuestions? help@shop.example",
    ),
    "tracker": mail(
        "Tracker <notifications@tracker.example>",
        "[org/repo] Mail delivery failed when user unknown (Issue #5)",
        "When sending to foo@bar.example I get\n\n550 5.1.1 <foo@bar.example>: Recipient address rejected: User unknown",
        "List-ID: org/repo <repo.org.tracker.example>\n",
    ),
    "tracker without a list": mail(
        "Tracker <tracker@corp.example>",
        "[MAIL-550] Undeliverable mail to customers",
        "Reporter: ann@corp.example\nThe following address(es) failed: many.\nkunde@firma.example: 550 user unknown",
        "Auto-Submitted: auto-generated\nPrecedence: bulk\n",
    ),
    "newsletter": mail(
        "News <mailer@news.example>",
        "10 reasons why your emails are undeliverable",
        "Undeliverable mail is a pain. If your mailbox is full, write to editor@news.example",
    ),
    "letter": mail("Max <max@x.example>", "undelivered letter", "Hi, the letter to aunt@family.example could not be delivered, she moved."),
    "name": mail("MAILER-DAEMON Fans <fan@club.example>", "Meeting", "We meet at 5. user unknown. a@b.example: bring cake"),
    "maintenance": mail("Postmaster <postmaster@isp.example>", "Scheduled maintenance", "Mail delivery will be delayed. Ask ann@isp.example."),
    "forwarded text": mail(
        "Paul <paul@y.example>",
        "Fwd: Undelivered Mail Returned to Sender",
        "Can you check this?\n\n---------- Forwarded message ---------\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example>\n"
        "Subject: Undelivered Mail Returned to Sender\n\n<bob@z.example>: host mx.z.example said: 550 5.1.1 user unknown",
    ),
    "absence that names a colleague": mail(
        "Ulf <ulf@kontor.example>",
        "Semester: SV: Ditt brev kom inte fram",
        "Jag är borta till augusti. Ditt brev läses inte. Min kollega eva@kontor.example hjälper dig.",
        "In-Reply-To: <2@home.example>\n",
    ),
    "parcel of a German carrier": mail(
        "Paket <no-reply@paket.example>",
        "Ihre Sendung konnte nicht zugestellt werden",
        "Grund: Empfänger unbekannt verzogen\nEmpfänger: M. Klein\nE-Mail: m.klein@kunde.example\n\nDas Paket wird zurückgesandt.",
    ),
    "quarantine": mail(
        "Dienst <quarantine@filter.example>",
        "Quarantänebericht: 2 E-Mails wurden nicht zugestellt",
        "Absender  Grund\nwinner@lotto.example  Spam\nrechnung@shop.example  Virus\n",
    ),
}

BOUNCES = {
    "two lines": mail("gateway <gw@corp.example>", "non remis (delivery failed)", "Your message could not be delivered to\nuser@corp.example"),
    "code in brackets": mail(
        "x@relay.example", "Returned mail", "<user@far.example>\nRequested action not taken: mailbox unavailable. [SMTP Error Code 550]"
    ),
    "host that names its own": mail(
        "Postkamer <postkamer@school.example>",
        "Uw bericht is niet aangekomen",
        "Wij kennen niemand met het adres piet@school.example en hebben uw bericht niet kunnen bezorgen.",
    ),
    "daemon without words": mail("<MAILER-DAEMON@old.example>", "problem", "user@far.example\nunknown host"),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_mail_that_speaks_of_failures(name: str) -> None:
    report = parse(ORDINARY[name])
    assert report.kind == "not_bounce" and not report.results


@pytest.mark.parametrize("name", BOUNCES)
def test_bounces_without_the_usual_marks(name: str) -> None:
    report = parse(BOUNCES[name])
    assert report.kind == "bounce" and len(report.results) == 1


def test_a_list_of_those_who_got_it_is_no_failure() -> None:
    body = "Your message was delivered to\n\n   bob@a.example\n   eve@a.example"
    report = parse(mail("MAILER-DAEMON@a.example", "Delivery report", body))
    assert report.kind == "delivered" and {verdict.bounce for _, verdict in report.results} == {"none"}


def test_those_who_got_it_are_not_among_those_who_did_not() -> None:
    body = "Your message could not be delivered to\n\n   bob@a.example no such user\n\nYour message was delivered to\n\n   eve@a.example"
    report = parse(mail("MAILER-DAEMON@a.example", "Undelivered mail", body))
    assert [(recipient.address, verdict.bounce) for recipient, verdict in report.results] == [("bob@a.example", "hard")]


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Bin weg: Ihre Bestellung wurde abgelehnt", "Ihre Mail wird nicht gelesen. In dringenden Fällen: kollege@firma.example"),
        ("Away", "Your message will not be passed on. Urgent: colleague@firma.example"),
        ("Отпуск", "Ваше письмо не будет передано. Срочно: kollega@firma.example"),
    ],
)
def test_an_absence_note_without_a_return_path_is_no_failure(subject: str, body: str) -> None:
    quoted = "-----Original Message-----\nFrom: News <news@list.example>\nTo: me@firma.example\nSubject: Hello\nDate: Mon, 2 Mar 2026\n"
    note = mail("Me Myself <me@firma.example>", subject, f"{body}\n\n{quoted}\ntext").replace(b"<me@firma.example>\nFrom", b"<>\nFrom", 1)
    assert parse(note).kind in ("auto_reply", "not_bounce")
