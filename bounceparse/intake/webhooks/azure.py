"""Azure Communication Services, through Event Grid, with a secret in a delivery property (Microsoft Learn).

Event Grid asks an endpoint to echo a code before it sends events. The code is echoed to those alone who bring the secret; the address that the
request offers for the same purpose is never opened.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from bounceparse.intake.webhooks.request import Batch, Fields, RefusedError, Request, read_objects
from bounceparse.intake.webhooks.shared_secret import SharedSecret
from bounceparse.intake.webhooks.told import Happened, Hint, Told
from bounceparse.intake.webhooks.verify import check_secret, read_time

_REPORT: Final = "Microsoft.Communication.EmailDeliveryReportReceived"
_VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
_STATES: Final[dict[str, tuple[Happened, Hint]]] = {
    "delivered": ("delivered", Hint()),
    "expanded": ("delivered", Hint()),
    "bounced": ("failed", Hint()),
    "failed": ("failed", Hint()),
    "suppressed": ("failed", Hint("suppressed", firm=True)),
    "filteredspam": ("failed", Hint("spam", firm=True)),
    "quarantined": ("failed", Hint("policy", firm=True)),
}


class Azure(SharedSecret):
    """Believes requests that bring the secret, of topics that are named, where any are."""

    name = "azure"
    age = 2 * 86_400  # seconds; Event Grid tries again for a day

    def __init__(self, secret: str, topics: Collection[str] = (), *, age: int | None = None) -> None:
        """`topics` are resource ids as Event Grid writes them into each event, in any case of letters; without them every topic is allowed."""
        super().__init__(secret, age=age)
        self._topics = frozenset(topic.lower() for topic in topics)

    def read(self, request: Request, now: datetime) -> Batch:
        """Return the events of one request, or the answer to the question whether the endpoint wants them."""
        check_secret(request, self._secret)
        events = read_objects(request.body)
        if self._topics and any(event.text("topic").lower() not in self._topics for event in events):
            raise RefusedError(403, "the topic is not on the list of allowed ones")
        for event in events:
            if event.text("eventType") == _VALIDATION:
                return Batch(
                    answer={"validationResponse": event.inner("data").text("validationCode")[:128]}, remark="Event Grid asked for validation"
                )
        return self.sort(events, now)

    def tell(self, event: Fields) -> Told | None:
        data = event.inner("data")
        state = data.text("status")
        found = _STATES.get(state.lower())
        if found is None or event.text("eventType") != _REPORT:
            return None
        happened, hint = found
        details = data.inner("deliveryStatusDetails")
        return Told(
            event.text("id"),
            read_time(data.text("deliveryAttemptTimeStamp", "deliveryAttemptTimestamp") or event.text("eventTime")),
            data.text("recipient"),
            happened,
            reply="" if hint.firm else details.text("statusMessage"),
            field="deliveryStatusDetails.statusMessage",
            label=state,
            hint=hint,
            remote_mta=details.text("recipientMailServerHostName"),
            message=data.text("messageId"),
            message_id=data.text("internetMessageId"),
            sender=data.text("sender"),
        )
