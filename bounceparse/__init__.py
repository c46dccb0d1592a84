"""bounceparse reads bounce mails and SMTP replies: who was not reached, why, whose side must change, and where the mail says so.

    >>> import bounceparse as bp
    >>> bp.classify("550 5.1.1 <a@example.com>: user unknown").reason
    'user_unknown'

Everything is loaded when it is first used, so that the import itself costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it, without the cost of loading typing
if TYPE_CHECKING:
    from bounceparse.batch import read
    from bounceparse.engine import Engine, parse
    from bounceparse.intake import UnreadableError
    from bounceparse.ledger import Ledger, LedgerError
    from bounceparse.model import Decision, Evidence, Original, Proof, Recipient, Report, Result, Suppression, Verdict
    from bounceparse.policy import Policy
    from bounceparse.record import Record, records
    from bounceparse.tables import TableError
    from bounceparse.verp import Verp

__version__ = "0.1.0"

__all__ = [
    "Decision",
    "Engine",
    "Evidence",
    "Ledger",
    "LedgerError",
    "Original",
    "Policy",
    "Proof",
    "Recipient",
    "Record",
    "Report",
    "Result",
    "Suppression",
    "TableError",
    "UnreadableError",
    "Verdict",
    "Verp",
    "classify",
    "parse",
    "read",
    "records",
]

_HOMES = {
    "Decision": "model",
    "Engine": "engine",
    "Evidence": "model",
    "Ledger": "ledger",
    "LedgerError": "ledger",
    "Original": "model",
    "Policy": "policy",
    "Proof": "model",
    "Recipient": "model",
    "Record": "record",
    "Report": "model",
    "Result": "model",
    "Suppression": "model",
    "TableError": "tables",
    "UnreadableError": "intake",
    "Verdict": "model",
    "Verp": "verp",
    "parse": "engine",
    "read": "batch",
    "records": "record",
}


def classify(text: str) -> Verdict:
    """Return the verdict on one bare SMTP reply or log text, with the built-in tables. `Engine.classify` also gives the facts it read."""
    from bounceparse.engine import classify

    return classify(text)[1]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
