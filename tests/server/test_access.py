"""The file that says who may come: what it may hold, and that each mistake is told with its line."""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import pytest

from bounceparse.intake.webhooks import SERVICES
from bounceparse.server.access import Access, Place, load_access
from bounceparse.tables import TableError
from tests.webhooks.signing import TOPIC, ec_public

SECRET = "correct-horse-battery-staple"
FULL = f"""
[[token]]
name = "newsletter"
secret_file = "newsletter.token"
scopes = ["parse", "read"]

[[token]]
name = "prometheus"
sha256 = "{sha256(b"metrics-metrics-metrics").hexdigest()}"
scopes = ["metrics"]

[webhook.ses]
topics = ["{TOPIC}"]
sha1 = false

[webhook.sendgrid]
public_key = "{ec_public()}"

sender = "example.com"
list = "news.example.com"

[webhook.azure]
secret = "{SECRET}"
topics = ["/subscriptions/0000"]
""" + "".join(f'\n[webhook.{name}]\nsecret = "{SECRET}"\nage = "1h"\n' for name in ("mailgun", "postmark", "sparkpost", "mailjet", "brevo"))


def write(folder: Path, text: str) -> Path:
    (folder / "newsletter.token").write_text(f"{SECRET}\n")
    (folder / "newsletter.token").chmod(0o600)
    path = folder / "access.toml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    access = load_access(write(tmp_path, FULL))
    found = access.find(SECRET)
    assert found is not None and (found.name, found.scopes) == ("newsletter", frozenset({"parse", "read"}))
    other = access.find("metrics-metrics-metrics")
    assert other is not None and other.name == "prometheus"
    assert access.find("") is None and access.find(SECRET + "\n") is None
    assert sorted(service.name for service in access.services) == sorted(SERVICES)
    assert {service.name: service.age for service in access.services}["mailgun"] == 3_600
    assert access.places["sendgrid"] == Place("example.com", "news.example.com") and access.places["ses"] == Place()
    assert SECRET not in repr(access)


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    assert load_access(write(tmp_path, "")) == Access()
    assert Access().find("") is None


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('[[token]]\nname = "a"\nscopes = ["read"]\n', 1, "no secret"),
        ('[[token]]\nname = "a"\nsecret = "short"\nscopes = ["read"]\n', 1, "less than 20"),
        (f'[[token]]\nname = "a"\nsecret = "{SECRET}"\nscopes = ["rule"]\n', 4, "no scope 'rule'"),
        (f'[[token]]\nname = "a"\nsecret = "{SECRET}"\n', 1, "may do nothing"),
        (f'[[token]]\nname = "a"\nsecret = "{SECRET}"\nscopes = ["read"]\nuntil = "x"\n', 5, "until"),
        ('[[token]]\nname = "a"\nsha256 = "abc"\nscopes = ["read"]\n', 3, "64 hexadecimal"),
        (f'[webhook.mailgum]\nsecret = "{SECRET}"\n', 1, "no service 'mailgum'"),
        ("[webhook.ses]\ntopics = []\n", 1, "no topic"),
        ('[webhook.sendgrid]\npublic_key = "x"\n', 1, "no public key"),
        (f'\n[webhook.mailgun]\nsecret = "{SECRET}"\nage = "soon"\n', 4, "is no time"),
        ("[webhook.mailgun]\n", 1, "no secret"),
        ("[tokens]\n", 1, "tokens"),
    ],
)
def test_each_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(TableError) as told:
        load_access(write(tmp_path, text))
    assert told.value.line == line and what in str(told.value)
    assert SECRET not in str(told.value)


def test_a_secret_that_everybody_can_read_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    (tmp_path / "newsletter.token").chmod(0o644)
    assert (tmp_path / "newsletter.token").stat().st_mode & stat.S_IROTH
    with pytest.raises(TableError, match="everybody can read"):
        load_access(path)
