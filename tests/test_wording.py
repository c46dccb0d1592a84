"""How notices speak: every language of the tables says that a mail did not arrive, and ordinary sentences do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bounceparse.engine import Engine
from bounceparse.evidence.wording import Wording
from bounceparse.tables import load_tables

TABLES = load_tables()
WORDING = Wording(TABLES.notices)

FAILED = {
    "ar": "تعذر تسليم رسالتك إلى العنوان التالي",
    "bg": "Съобщението Ви не беше доставено.",
    "cs": "Vaši zprávu se nepodařilo doručit.",
    "da": "Din e-mail kunne ikke leveres.",
    "de": "Ihre Nachricht an den folgenden Empfänger konnte nicht zugestellt werden.",
    "el": "Το μήνυμά σας δεν παραδόθηκε.",
    "en": "We could not hand over your message.",
    "es": "Su mensaje ha sido rechazado.",
    "et": "Teie kirja ei õnnestunud kohale toimetada.",
    "fi": "Viestiäsi ei voitu toimittaa.",
    "fr": "Votre courriel n'a pas pu être distribué.",
    "he": "ההודעה שלך לא נמסרה",
    "hr": "Vaša poruka nije isporučena.",
    "hu": "A levelet nem sikerült kézbesíteni.",
    "id": "Surat Anda dikembalikan kepada pengirim.",
    "it": "Il messaggio non è stato consegnato.",
    "ja": "メールを配信できませんでした。",
    "ko": "메일이 전송되지 않았습니다.",
    "lt": "Jūsų laiško pristatyti nepavyko.",
    "nl": "Uw bericht is geweigerd.",
    "no": "E-posten ble avvist.",
    "pl": "Wiadomość nie została dostarczona.",
    "pt": "A mensagem não pôde ser entregue.",
    "ro": "Mesajul nu a putut fi livrat.",
    "ru": "Ваше письмо не доставлено.",
    "sk": "Vašu správu sa nepodarilo doručiť.",
    "sl": "Vašega sporočila ni bilo mogoče dostaviti.",
    "sv": "Brevet kunde inte levereras.",
    "tr": "İletiniz teslim edilemedi.",
    "uk": "Ваш лист відхилено.",
    "vi": "Thư của bạn không gửi được.",
    "zh": "您的郵件無法送達。",
}
"""A sentence of each language, as administrators write them; none of them stands in a table as a whole."""


def test_every_language_has_a_sentence() -> None:
    assert FAILED.keys() == TABLES.notices.keys()


@pytest.mark.parametrize("language", FAILED)
def test_a_mail_that_did_not_arrive(language: str) -> None:
    assert WORDING.says_failed(FAILED[language])


@pytest.mark.parametrize(
    "text",
    [
        "Please do not reply to this message, it was sent from an address that nobody reads.",
        "Your parcel could not be delivered.",  # no mail
        "Your message was delivered. The parcel could not be delivered.",  # each in a sentence of its own
        "Ihre Nachricht ist angekommen.",
        "Votre message a bien été remis.",
    ],
)
def test_nothing_failed(text: str) -> None:
    assert not WORDING.says_failed(text)


def test_a_sentence_may_speak_of_anything() -> None:
    assert WORDING.says_failed("Your parcel could not be delivered", of_mail=False)
    assert not WORDING.says_failed("Your parcel is here", of_mail=False)


@pytest.mark.parametrize(
    ("line", "label", "value"),
    [
        ("Final recipient: a@example.com", "recipient", "a@example.com"),
        ("  * Empfänger : a@example.com", "recipient", "a@example.com"),
        ("Sent to: a@example.com", "recipient", "a@example.com"),
        ("받는 사람  a@example.com", "recipient", "a@example.com"),  # a cell of a table
        ("原因：信箱已滿", "reason", "信箱已滿"),
        ("Reason given: no such user", "reason", "no such user"),
        ("Betreff: Grund zur Freude", "fields", "Grund zur Freude"),
        ("To: a@example.com", "to", "a@example.com"),
        ("An: a@example.com", "to", "a@example.com"),
        ("Your sender address: a@example.com", None, "a@example.com"),
        ("Meeting at 5: bring cake", None, "bring cake"),
        ("no label", None, ""),
    ],
)
def test_what_a_label_announces(line: str, label: str | None, value: str) -> None:
    assert WORDING.announces(line) == (label, value)


def test_those_who_look_after_mail() -> None:
    assert WORDING.is_role("it-service@example.com") and WORDING.is_role("support+48213@example.com")
    assert not WORDING.is_role("serviceberg@example.com")


def test_a_reason_that_is_none() -> None:
    assert WORDING.says_reached("ok") and WORDING.says_reached("전송완료")
    assert not WORDING.says_reached("not delivered") and not WORDING.says_reached("")


def test_words_of_the_user_add_to_the_language(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('language = "en"\n[notice]\nundone = ["was eaten by the dog"]\n', "utf-8")
    mail = (
        b"From: robot@example.org\nTo: list@example.net\nSubject: Your message was eaten by the dog\n\n"
        b"Your message was eaten by the dog.\n\n  rex@example.com: no such user\n"
    )
    assert Engine((path,)).parse(mail).kind == "bounce"
    assert Engine().parse(mail).kind == "not_bounce"
