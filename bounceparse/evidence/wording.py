"""How notices for people speak, in every language of the tables: what failed, what a label announces, whose address a sentence names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from ahocorasick_rs import AhoCorasick

from bounceparse.tables import NoticeWords
from bounceparse.text import squeeze

Label = Literal["recipient", "fields", "reason", "to"]
_LABELS: Final[tuple[Label, ...]] = ("recipient", "fields", "reason", "to")
_SENTENCE_END: Final = re.compile(r"\n[ \t]*\n|[.!?][\"')\]]?\s|[\u3002\uff01\uff1f]")
_READ: Final = 6_000  # characters of a text in which the sentence that says what failed is looked for
_LABEL: Final = 60  # characters of the longest label
_LABEL_ENDS: Final = (":", "=", "\uff1a", "  ", "\t")
_AFTER_LABEL: Final = " \t:=\uff1a"
_LABEL_WORDS: Final = 8
_REPEATED: Final = 120  # characters of a line or title that may be said again
_IN_LABELS: Final = frozenset({"recipient", "reason", "to", "fields", "fill", "done"})
_CELL: Final = 40  # characters of a reason that may be none: "ok"
DELIVERY: Final = frozenset({"carried", "denials", "undone", "recipient"})
"""What words about delivery or its failure are."""
_Heard = tuple[frozenset[str], list[set[str]]]
"""What words are in any language, and in each language that has some of them."""


class Wording:
    """The `[notice]` tables of all languages, ready to be asked; made ready when they are first asked, since most reports need no words."""

    __slots__ = ("_again", "_announced", "_meanings", "_notices", "_roles", "_search")

    def __init__(self, notices: dict[str, NoticeWords]) -> None:
        self._notices = notices
        self._again = lru_cache(maxsize=4_096)(self._find)  # daemons say the same lines and titles in every notice
        self._announced = lru_cache(maxsize=4_096)(self._announces)
        self._roles = frozenset([role.strip() for one in notices.values() for role in one.roles])
        self._search: AhoCorasick | None = None
        self._meanings: list[list[tuple[str, str]]] = []  # of each literal: languages, and what it is there

    def says_failed(self, text: str, of_mail: bool = True) -> bool:
        """Say whether a sentence says that something did not arrive: a mail, or, not `of_mail`, whatever the sentence speaks of."""
        return any(
            _failed(said) and ("mail" in said or not of_mail) for sentence in _SENTENCE_END.split(text[:_READ]) for said in self._heard(sentence)[1]
        )

    def says_delayed(self, text: str) -> bool:
        """Say whether the text says that delivery is tried again."""
        return "delayed" in self.hear(text[:_READ])

    def says_reached(self, reason: str) -> bool:
        """Say whether the reason beside an address is none, but says that the mail has arrived there: "ok"."""
        if len(reason) > _CELL:
            return False
        words = squeeze(reason).split()
        return bool(words) and len(words) <= 3 and all("done" in self.hear(word) for word in words)

    def names_program(self, local: str) -> bool:
        """Say whether a local part is that of a program."""
        return "programs" in self.hear(local)

    def is_role(self, address: str) -> bool:
        """Say whether an address is that of a server or of its keepers."""
        local = address.partition("@")[0].partition("+")[0].lower()
        return local.replace("-", " ").replace("_", " ") in self._roles or local[:22] == "microsoftexchange329e"

    def announces(self, line: str) -> tuple[Label | None, str]:
        """Return what the label at the beginning of a line announces, and what stands behind it; (None, "") where there is no label.

        An address that failed, a reason, the To of the returned message, or another field of it. A colon ends a label, or the end of a table's cell.
        """
        text = line.lstrip(" \t>*-")
        end = _LABEL
        for mark in _LABEL_ENDS:
            found = text.find(mark, 1, end)
            if found > 0:
                end = found
        if end == _LABEL:
            return None, ""
        return self._announced(text[:end]), text[end:].lstrip(_AFTER_LABEL)

    def _announces(self, label: str) -> Label | None:
        words = squeeze(label).split()
        if not words or len(words) > _LABEL_WORDS:
            return None
        heard = [self.hear(word) & _IN_LABELS for word in words]
        if not all(heard):
            return None
        kinds = frozenset().union(*heard)
        if "recipient" in kinds or ("to" in heard[-1] and "done" in kinds):  # "sent to"
            return "recipient"
        return next((kind for kind in _LABELS if kind in kinds), None)

    def hear(self, text: str) -> frozenset[str]:
        """Return what the words of a text are in any language: names of the fields of `NoticeWords`."""
        return self._heard(text)[0]

    def _heard(self, text: str) -> _Heard:
        return self._again(text) if len(text) <= _REPEATED else self._find(text)

    def _find(self, text: str) -> _Heard:
        if self._search is None:
            meanings: dict[str, list[tuple[str, str]]] = {}
            for language, one in self._notices.items():
                for field in one.__struct_fields__:
                    for literal in getattr(one, field):
                        meanings.setdefault(literal, []).append((language, field))
            self._meanings = list(meanings.values())
            self._search = AhoCorasick(list(meanings) or ["\x00"])
        said: dict[str, set[str]] = {}
        for literal, _, _ in self._search.find_matches_as_indexes(squeeze(text), overlapping=True):
            for language, field in self._meanings[literal]:
                said.setdefault(language, set()).add(field)
        return frozenset().union(*said.values()), list(said.values())


def _failed(said: set[str]) -> bool:
    """Say whether words of one sentence and language say that something failed."""
    return "undone" in said or ("carried" in said and "denials" in said)
