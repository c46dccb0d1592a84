"""The suppression store: what was reported, what counts against whom, who is not to be written to, and why (extra `ledger`)."""

from __future__ import annotations

try:
    import sqlalchemy  # noqa: F401
except ModuleNotFoundError:
    raise ImportError("the ledger needs SQLAlchemy: pip install 'bounceparse[ledger]'") from None

from bounceparse.ledger.connect import LedgerError, SetUpError
from bounceparse.ledger.facts import Alert, Event, Quarantined
from bounceparse.ledger.people import Forgotten, Person
from bounceparse.ledger.rehearsal import Rehearsal
from bounceparse.ledger.store import Ledger

__all__ = ["Alert", "Event", "Forgotten", "Ledger", "LedgerError", "Person", "Quarantined", "Rehearsal", "SetUpError"]
