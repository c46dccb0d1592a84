"""The judge: what speaks before what, and that nobody is cut off for what others did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceparse.judge import PRECEDENCE, Judge
from bounceparse.model import Evidence, Recipient, Verdict
from bounceparse.tables import load_tables

TABLES = load_tables()
JUDGE = Judge(TABLES)


def judge(text: str) -> Verdict:
    return JUDGE.classify(text)[1]


def test_the_order_of_precedence_is_one_list() -> None:
    assert PRECEDENCE.index("token") < PRECEDENCE.index("words") < PRECEDENCE.index("status") < PRECEDENCE.index("weak words")
    assert PRECEDENCE.index("reply") < PRECEDENCE.index("text") < PRECEDENCE.index("class")


@pytest.mark.parametrize(
    ("text", "reason", "bounce", "rule"),
    [
        # a mark of the provider, whatever the words and codes around it
        ("550-5.1.1 It does not exist. https://support.google.com/mail/?p=DisabledUser - gsmtp", "mailbox_disabled", "hard", "provider:gmail/"),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", "reputation", "soft", "provider:yahoo/TSS04"),
        ("552 5.1.1 <a@example.com> Boite pleine. OFR006_417 [417]", "mailbox_full", "soft", "provider:orange/"),
        # words before codes
        ("550 5.7.1 <a@example.com>: No such user", "user_unknown", "hard", "phrase:en/user-unknown"),
        ("550 5.1.1 <a@example.com>: mailbox full", "mailbox_full", "soft", "phrase:en/mailbox-full"),
        # words and the enhanced code agree
        ("550 5.1.1 <a@example.com>: User unknown", "user_unknown", "hard", "status:5.1.1"),
        # a telling code where the words say nothing
        ("550 5.1.1 zzqq", "user_unknown", "hard", "status:5.1.1"),
        ("550 5.7.26 zzqq", "auth_failure", "soft", "status:5.7.26"),
        # of three digits, which one vendor alone uses, whether the reply names it or not
        ("550 5.7.509 zzqq", "auth_failure", "soft", "status:5.7.509"),
        # weak words with the basic code
        ("550 Requested action not taken: mailbox unavailable", "user_unknown", "hard", "phrase:en/mailbox-unavailable"),
        # errors of the system
        ("X-Unix; 67", "user_unknown", "hard", "system:exit/67"),
        ("Socket error code 10061", "network_error", "soft", "system:winsock/10061"),
        # the reply code in its phase
        ("552 zzqq (in reply to RCPT TO command)", "mailbox_full", "soft", "reply:552@rcpt"),
        ("552 zzqq (in reply to end of DATA command)", "message_too_large", "soft", "reply:552@eod"),
        # a code that says little
        ("550 5.7.1 zzqq", "policy", "soft", "status:5.7.1"),
        # nothing but the class
        ("599 zzqq", "undetermined", "soft", "class:5"),
        ("zzqq", "undetermined", "soft", "class:"),
    ],
)
def test_what_speaks_before_what(text: str, reason: str, bounce: str, rule: str) -> None:
    verdict = judge(text)
    assert (verdict.reason, verdict.bounce) == (reason, bounce)
    assert verdict.rule.startswith(rule)


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 <a@example.com>: Your IP 192.0.2.1 is blacklisted; mailbox unavailable",
        "550 5.1.1 rejected by DNSBL",
        "550 5.1.1 Message refused by DMARC policy of the domain: user does not exist",
        "550 5.1.1 this message looks like spam",
        "550 5.1.1 message too large",
        "550 5.1.1 mailbox full",
        "550 5.1.1 temporary failure",
        "550 5.7.1 The mailbox is not full and the user is not disabled; the message is against our policy",
        "550 This account has never been suspended, but your address was refused",
        "550-HELO/EHLO set to IP address not enclosed in square brackets\n550 (RFC2821 4.1.3)",
        "550 5.2.1 The group members@example.com does not allow posting from outside the organization",
        "553 Relaying disallowed. Invalid Domain - example.com",
        "550 The user bob is disabled for sending spam",
        "550 MAIL FROM user does not exist on your server",
        "550 Cannot deliver: reply-to address does not exist",
        "550 5.7.1 account that sent this message is disabled",
        "550 SMTP login account locked, too many failed logins",
        "550 authenticated user bob is disabled",
        "501 5.0.0 Invalid domain name in HELO",
        "550 unknown domain in the envelope sender",
        "550 Invalid address in From header",
        "535 user not found",
        "530 5.7.0 account not active for SMTP",
        "550 Host name of the connecting client does not exist in DNS",
        "550 URL in message points to a domain that does not exist",
        "550 5.7.1 The To header contains invalid recipients",
        "550 Blocked for directory harvest: unknown users attempted from 192.0.2.9",
        "550 5.7.1 user blocked you",
        "550 5.4.6 mail loop: address forwards to unknown address again and again",
        "550 5.1.1 message for anna too big",
        "554 MX host mail.example.org not found in time, DNS timeout",
        "550 Your IP address is disabled",
        "550 5.7.1 Unable to relay for a@example.com",
        "550 relay not permitted, user unknown here",
        "553 5.1.8 <news@example.org>... Domain of sender address news@example.org does not exist",
        "550 Domain of sender does not exist",
        "550-Verification failed for <news@example.org> 550-No Such User Here 550 Sender verify failed",
        "550 5.1.7 <news@example.org>: Sender address rejected: undeliverable address: host mx.example.org said: 550 5.1.1 User unknown",
        "550-Callback setup failed while verifying <news@example.org> 550 user unknown",
        "550 5.1.1 User unknown (in reply to MAIL FROM command)",
        "550 5.1.1 User unknown (in reply to EHLO command)",
        "550 sender account does not exist",
        "550 The sending user bob is unknown",
        "550 Your domain does not exist in DNS",
        "550 5.7.1 Your account has been suspended for sending too much",
        "535 5.7.8 account disabled",
        "550 5.1.1 Benutzer unbekannt im Header",
        "550 5.1.1 Das Postfach des Benutzers ist nicht voll",
        "550 La boîte aux lettres n'est pas pleine",
        "550 Utilisateur inconnu de l'expéditeur",
        "550 La casella non è piena",
        "550 Почтовый ящик не переполнен",
        "550 Skrzynka nie jest pełna",
        "550 Odesílatel neexistuje",
        "550 Відправник не існує",
        "550 발신자를 찾을 수 없습니다",
        "550 Die Domain des Absenders existiert nicht",
        "550 Le domaine de l'expéditeur n'existe pas",
        "550 El dominio del remitente no existe",
        "550 Il dominio del mittente non esiste",
        "550 Domena nadawcy nie istnieje",
        "550 Домен отправителя не найден",
        "550 送信者のドメインが存在しません",
        "550 发件人域名不存在",
        "550 Адресът на подателя не съществува",
        "550 Вашият потребителски акаунт е блокиран",
        "550 Adresa pošiljatelja ne postoji",
        "550 Vaš korisnički račun je blokiran",
        "550 Korisnik postoji, ali je sandučić pun",
        "550 Adresa odosielateľa neexistuje",
        "550 Schránka príjemcu: správa bola zablokovaná",
        "550 Účet nie je zablokovaný",
        "550 Naslova pošiljatelja ni bilo mogoče najti",
        "550 Račun ni blokiran",
        "550 Saatja aadressi ei leitud",
        "550 Postkast on täis, kiri blokeeritud",
        "550 Siuntėjo adresas nerastas",
        "550 Jūsų pašto paskyra yra sustabdyta",
        "550 Alamat pengirim tidak ditemukan",
        "550 Akun Anda dinonaktifkan",
        "550 Không tìm thấy địa chỉ người gửi",
        "550 Tài khoản của bạn đã bị khóa",
        "550 Votre compte a été suspendu",
        "550 Su cuenta está suspendida por enviar spam",
        "550 From: domain is invalid",
        "550 This server does not accept mail from example.net",
        "550 account disabled temporarly",
        "550 HELO name does not resolve",
        "550 Your hostname does not resolve",
        "550 reverse hostname does not exist",
        "550 you have sent mail to too many unknown users",
        "550 authentication failed: user unknown",
        "550 Denied, see http://example.com/errors/mailbox-does-not-exist",
        "550 5.7.1 <user.unknown@example.com>: refused",
        "550 5.7.1 Message to full-mailbox@example.com refused",
        "550 5.4.4 Host not found, try again",
        "Host or domain name not found. Name service error for name=example.com type=MX: Host not found, try again",
        "550 5.2.1 mailbox temporarily disabled",
        "450 User unknown",
        "451 4.1.1 mailbox does not exist",
        "421 account disabled",
        "450 4.1.2 Domain not found",
        "4.4.7 user unknown",
        "550 unknown error",
        "550 Rejected",
        "550",
        "554 Transaction failed",
        "500 zzqq",
        "",
    ],
)
def test_nobody_is_cut_off_for_what_others_did(text: str) -> None:
    assert judge(text).bounce != "hard"


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 <a@example.com>... User unknown",
        "550 no mailbox here by that name",
        "sorry, no mailbox here by that name. (#5.1.1)",
        "No such user here",
        "550 Utilisateur inconnu",
        "550 5.1.1 Пользователь не найден",
        "550 Няма такъв потребител",
        "550 Korisnik ne postoji",
        "550 Príjemca neexistuje",
        "550 Uporabnik ne obstaja",
        "550 Kasutajat ei leitud",
        "550 Vartotojas nerastas",
        "550 Pengguna tidak ditemukan",
        "550 Người dùng không tồn tại",
        "550 用户不存在",
        "550 5.1.2 Host unknown (Name server: host not found)",
        "Sorry, I couldn't find any host named example.invalid. (#5.1.2)",
        "Domain example.invalid does not accept mail (nullMX)",
        "550 5.2.1 The account is disabled",
        "551 5.1.6 User has moved; please try <b@example.net>",
        "501 5.1.3 Bad recipient address syntax",
        "Not delivering to previously bounced address",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "550 5.4.1 Recipient address rejected: Access denied. [AB1.eur01.prod.protection.outlook.com]",
        "554 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address: host mx.example.com said: 550 5.1.1 User doesn't exist",
        "550 unknown user (in reply to end of DATA command)",
        "550 header RCPT TO: user unknown",
        "530 5.1.1 no such user",
    ],
)
def test_the_dead_are_told(text: str) -> None:
    verdict = judge(text)
    assert verdict.bounce == "hard"
    assert verdict.fault == "recipient"
    assert verdict.certainty != "guess"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("550 not listed in Domino Directory", "user_unknown"),
        ("421 sending quota exceeded", "rate_limited"),
        ("554 BANNED contents: .exe", "content_rejected"),
        ("450 certificate has expired", "tls_required"),
        ("550 account has expired", "mailbox_disabled"),
        ("451 retry timeout exceeded", "expired"),
        ("504 need fully-qualified hostname", "no_ptr"),
        ("550 blocked using bl.spamcop.net", "blocklisted"),
        ("550 relay disabled", "relay_denied"),
        ("550 message contains spam or virus", "spam"),
        ("550 the address was removed", "undetermined"),
        ("451 4.3.2 virus scanner unavailable", "system_error"),
        ("421 4.7.1 Client host blocked using grey.example.net - Greylisting in action, please try again", "greylisted"),
        ("550 5.1.0 - Unknown address error 550-'5.7.1 blocked using zen.spamhaus.org'", "blocklisted"),
    ],
)
def test_known_traps(text: str, reason: str) -> None:
    assert judge(text).reason == reason


def test_what_introduces_a_reply_says_less_than_the_reply() -> None:
    assert judge("192.0.2.1 does not like recipient. Remote host said: 552 5.2.2 mailbox full Giving up on 192.0.2.1.").reason == "mailbox_full"
    assert judge("Message expired: connection lost <421 4.7.0 Too many connections>").reason == "too_many_connections"


def test_lines_joined_without_a_blank_are_heard() -> None:
    assert judge("550-mailbox unavailableFor explanation see our pages").reason == "user_unknown"


def test_certainty() -> None:
    assert judge("550 5.1.1 User unknown").certainty == "certain"
    assert judge("550 5.7.1 User unknown").certainty == "likely"
    assert judge("550 5.7.1 zzqq").certainty == "guess"
    recipient = Recipient(status="5.1.1", reply_code="550", diagnostic="550 5.1.1 User unknown")
    assert JUDGE.judge(recipient, ceiling="likely").certainty == "likely"
    guess = JUDGE.judge(recipient, ceiling="guess")
    assert (guess.certainty, guess.bounce) == ("guess", "soft")


def test_a_delay_is_never_hard() -> None:
    recipient = Recipient(action="delayed", status="5.1.1", reply_code="550", diagnostic="550 5.1.1 User unknown")
    assert JUDGE.judge(recipient, kind="delay").bounce == "soft"
    assert JUDGE.judge(Recipient(action="delayed", status="5.1.1"), kind="bounce").bounce == "soft"


@pytest.mark.parametrize(
    ("kind", "reason", "bounce"),
    [
        ("delivered", "delivered", "none"),
        ("complaint", "feedback_complaint", "none"),
        ("auto_reply", "auto_reply", "none"),
        ("disposition", "auto_reply", "none"),
        ("challenge", "challenge_response", "soft"),
    ],
)
def test_other_kinds_are_no_failures(kind: str, reason: str, bounce: str) -> None:
    verdict = JUDGE.judge(Recipient(diagnostic="550 5.1.1 User unknown"), kind=kind)
    assert (verdict.reason, verdict.bounce) == (reason, bounce)


def test_success_replies() -> None:
    assert judge("250 2.0.0 Ok: queued as ABC").bounce == "none"


def test_words_around_are_heard_only_where_the_diagnostic_is_silent() -> None:
    around = "Your message could not be delivered: user unknown"
    assert JUDGE.judge(Recipient(action="failed"), text=around).reason == "user_unknown"
    assert JUDGE.judge(Recipient(action="failed", reply_code="550", diagnostic="550 Rejected"), text=around).reason != "user_unknown"


def test_words_of_a_dialect_speak_for_it_alone() -> None:
    dialect = next(dialect for dialect in TABLES.dialects if dialect.reasons)
    phrase = dialect.reasons[0]
    recipient = Recipient(diagnostic=" ".join(piece.strip() for piece in phrase.words))
    verdict = JUDGE.judge(recipient, dialect=dialect.name)
    assert verdict.reason == phrase.reason
    assert verdict.rule == f"dialect:{phrase.id}"
    assert not JUDGE.judge(recipient).rule.startswith("dialect:")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("450 4.7.1 Try again in 5 minutes", 300),
        ("451 Greylisted for 300 seconds", 300),
        ("451 greylisted, please come back in 00:05:00", 300),
        ("421 try again after 2 hours", 7_200),
        ("450 Bitte in 10 Minuten erneut versuchen", 600),
        ("550 5.7.1 Recipient address rejected: Greylisted for 60 seconds", 60),
        ("450 try again later", None),
        ("550 5.1.1 User unknown since 5 minutes", None),
    ],
)
def test_the_wait_that_is_asked_for(text: str, seconds: int | None) -> None:
    assert judge(text).retry_after == seconds


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", "Spamhaus"),
        ("554 blocked using bl.spamcop.net", "SpamCop"),
        ("554 5.7.1 Client host blocked using dnsbl.example.net; see there", "dnsbl.example.net"),
        ("550 5.1.1 User unknown, see spamhaus", "Spamhaus"),
        ("550 5.1.1 User unknown", ""),
    ],
)
def test_the_list_is_named(text: str, name: str) -> None:
    assert judge(text).blocklist == name


def test_the_evidence_is_kept() -> None:
    status = Evidence("dsn", "Status", "5.1.1", (10, 15))
    said = Evidence("dsn", "Diagnostic-Code", "550 5.7.1 spam", (30, 44))
    recipient = Recipient(status="5.7.1", reply_code="550", diagnostic="550 5.7.1 spam", evidence=(status, said))
    assert JUDGE.judge(recipient).because == (said,)
    recipient = Recipient(status="5.1.1", diagnostic="zzqq", evidence=(status, Evidence("dsn", "Diagnostic-Code", "zzqq", (30, 34))))
    assert JUDGE.judge(recipient).because == (status,)


@given(st.text(max_size=300), st.sampled_from(["", "5.1.1", "4.7.1", "9.9.9", "x"]), st.sampled_from(["", "RCPT", "MAIL", "EOD"]))
def test_any_text_gives_a_verdict(text: str, status: str, phase: str) -> None:
    verdict = JUDGE.judge(Recipient(status=status, diagnostic=text, command=phase), text=text)
    assert verdict.reason in TABLES.reasons
    assert JUDGE.classify(text)[1] == JUDGE.classify(text)[1]


@given(st.text(max_size=200))
def test_a_temporary_answer_is_never_hard(text: str) -> None:
    assert JUDGE.judge(Recipient(reply_code="450", diagnostic=f"450 {text}")).bounce != "hard"
