"""Whatever a recognised service sends is read or refused: it never ends in an error, and never in dirty text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bounceparse.intake.webhooks import SERVICES, RefusedError, Request
from bounceparse.record import encode
from tests.webhooks.signing import NOW, mailgun, plain, sendgrid, sns
from tests.webhooks.test_services import (
    azure_event,
    brevo_event,
    mailgun_event,
    mailjet_event,
    postmark_event,
    receiver,
    sendgrid_event,
    ses_bounce,
    sparkpost_event,
)

ODD = ["550", "5.1.1", "permanent", "1e400", "\u202e\x1b[31m\n"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(ODD)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3), max_leaves=8)
GOOD: dict[str, Any] = {
    "ses": ses_bounce(),
    "sendgrid": [sendgrid_event(event="bounce", type="bounce", reason="550 5.1.1 x", status="5.1.1", bounce_classification="Invalid Address")],
    "mailgun": mailgun_event(),
    "postmark": postmark_event(),
    "sparkpost": sparkpost_event(),
    "mailjet": mailjet_event(),
    "brevo": brevo_event(),
    "azure": azure_event(),
}


def changed(data: st.DataObject, value: Any) -> Any:
    """A genuine event in which some values are something else."""
    if data.draw(st.integers(0, 7)) == 0:
        return data.draw(VALUES)
    if isinstance(value, dict):
        return {name: changed(data, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [changed(data, inner) for inner in value]
    return value


def signed(name: str, body: Any) -> Request:
    ways: dict[str, Callable[[Any], Request]] = {"ses": sns, "sendgrid": sendgrid, "mailgun": mailgun}
    return ways.get(name, plain)(body)


@pytest.mark.parametrize("name", SERVICES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_event_is_read_or_refused(name: str, data: st.DataObject) -> None:
    request = signed(name, changed(data, GOOD[name]))
    try:
        received = receiver(name).receive(request, NOW)
    except RefusedError as refused:
        assert 400 <= refused.status < 500
        return
    for report in received.reports:
        text = encode(report).decode()
        assert text.count("\n") == 1 and "\u202e" not in text and "\\u001b" not in text
        assert report.results[0].verdict.reason
