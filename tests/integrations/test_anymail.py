"""Anymail in a real Django project: mailed bounces reach its signal, and what it receives reaches our ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anymail", reason="Anymail is not installed here: pip install 'bounceparse[anymail]'")

FIXTURES = Path(__file__).parents[2] / "fixtures" / "bounces"
SETTINGS = """\
SECRET_KEY = "x"
DEBUG = False
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "site_urls"
INSTALLED_APPS = ["anymail", "newsletter"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}}
USE_TZ = True
ANYMAIL = {"WEBHOOK_SECRET": "hook:correct-horse", "POSTMARK_SERVER_TOKEN": "x", "MAILGUN_API_KEY": "key", "MAILGUN_WEBHOOK_SIGNING_KEY": "signing"}
"""
URLS = """\
from django.urls import include, path
urlpatterns = [path("anymail/", include("anymail.urls"))]
"""
APP = """\
from anymail.signals import tracking
from django.apps import AppConfig

SEEN = []


def note(sender, event, esp_name, **kwargs):
    SEEN.append([esp_name, event.event_type, event.reject_reason, event.recipient, event.message_id, event.esp_event.get("fault")])


class Newsletter(AppConfig):
    name = "newsletter"

    def ready(self):
        from bounceparse.integrations.anymail import connect
        from bounceparse.ledger import Ledger
        from bounceparse.policy import Policy

        tracking.connect(note)
        connect(Ledger("bounces.db"), Policy.preset("default"))
"""
MANAGE = """\
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
COMMAND = """\
import base64, json, sys
from pathlib import Path
from django.core.management.base import BaseCommand
from django.test import Client
from bounceparse import parse
from bounceparse.integrations.anymail import send_tracking
from newsletter.apps import SEEN


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("paths", nargs="*")

    def handle(self, *args, **options):
        for path in options["paths"]:
            send_tracking(parse(Path(path).read_bytes()))
        answers = []
        client = Client()
        for esp, body, secret in json.load(sys.stdin):
            given = base64.b64encode(secret.encode()).decode()
            answer = client.post(f"/anymail/{esp}/tracking/", body, content_type="application/json", headers={"Authorization": "Basic " + given})
            answers.append(answer.status_code)
        print(json.dumps([SEEN, answers]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    (place / "site_settings.py").write_text(SETTINGS)
    (place / "site_urls.py").write_text(URLS)
    (place / "manage.py").write_text(MANAGE)
    commands = place / "newsletter" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (place / "newsletter", commands.parent, commands):
        (folder / "__init__.py").write_text("")
    (place / "newsletter" / "apps.py").write_text(APP)
    (commands / "tell.py").write_text(COMMAND)
    return place


def tell(project: Path, paths: list[Path], posts: list[list[str]]) -> tuple[list[list[Any]], list[int]]:
    """Run the project's own command: the bounces at these paths, then requests of mail services."""
    command = [sys.executable, "manage.py", "tell", *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=project, input=json.dumps(posts), capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    seen, answers = json.loads(done.stdout.splitlines()[-1])
    return seen, answers


def postmark(number: int, address: str, details: str, kind: str = "HardBounce", code: int = 1) -> str:
    event = {
        "RecordType": "Bounce", "ID": number, "Type": kind, "TypeCode": code, "MessageID": f"m{number}", "Details": details, "Email": address,
        "BouncedAt": "2026-03-02T08:59:30Z", "Description": "x", "Tag": "", "Metadata": {},
    }  # fmt: skip
    return json.dumps(event)


def test_mailed_bounces_send_the_signal(project: Path) -> None:
    names = ("postfix/01-user-unknown", "postfix/02-mailbox-full-delayed", "office365/06-spoof-dmarc-reject", "arf/01-aol", "auto-reply/04-spanish")
    seen, _ = tell(project, [FIXTURES / f"{name}.eml" for name in names], [])
    assert [[esp, kind, reason] for esp, kind, reason, *_ in seen] == [
        ["bounceparse", "bounced", "invalid"],
        ["bounceparse", "deferred", None],
        ["bounceparse", "bounced", "blocked"],
        ["bounceparse", "complained", "spam"],
        ["bounceparse", "autoresponded", None],
    ]
    assert seen[0][4].startswith("<") and seen[0][5] == "recipient" and seen[2][5] == "sender"
    assert not (project / "bounces.db").exists() or not ledger_of(project), "our own signals are not listened to"


def ledger_of(project: Path) -> dict[str, tuple[str, str]]:
    from bounceparse.ledger import Ledger

    with Ledger(str(project / "bounces.db")) as ledger:
        return {event.address: (event.action, event.reason) for event in ledger.events()}


def test_what_anymail_receives_is_judged_and_counted(project: Path) -> None:
    good = "hook:correct-horse"
    dead = postmark(1, "gone@example.org", "smtp;550 5.1.1 <gone@example.org>: User unknown")
    spam = postmark(2, "alive@example.org", "smtp;550 5.7.1 Message rejected as spam")
    complaint = postmark(3, "angry@example.org", "", "SpamComplaint", 100001).replace('"RecordType": "Bounce"', '"RecordType": "SpamComplaint"')
    forged = postmark(4, "victim@example.org", "smtp;550 5.1.1 User unknown")
    bodies = ((dead, good), (spam, good), (complaint, good), (forged, "hook:wrong"), (dead, good))
    seen, answers = tell(project, [], [["postmark", body, secret] for body, secret in bodies])
    assert answers == [200, 200, 200, 400, 200]
    assert len(seen) == 4
    assert ledger_of(project) == {
        "gone@example.org": ("suppress", "user_unknown"),
        "alive@example.org": ("alert", "spam"),
        "angry@example.org": ("suppress", "feedback_complaint"),
    }
