"""The nouns that only the readers see: message, part and claim. `model` has all nouns; these are plain classes, since compiled they take a fifth of
the time of structs to make and to ask.
"""

from __future__ import annotations

from typing import Literal

Source = Literal["dsn", "transcript", "dialect", "header", "original", "feedback", "webhook", "second_opinion", "dns", "text"]

Span = tuple[int, int]
"""Start and end offset in the raw bytes of the message; (0, 0) when the place is not known."""


class Part:
    """One node of the MIME tree. Offsets are into `Message.text`; `parent` is always smaller than the part's own index (-1 for the root)."""

    __slots__ = ("body", "content_type", "depth", "encoding", "end", "parent", "start", "type")

    def __init__(self, type: str, parent: int, depth: int, start: int, body: int, end: int, content_type: str, encoding: str) -> None:
        self.type = type  # lower-case "type/subtype"
        self.parent = parent
        self.depth = depth
        self.start = start  # first byte of the header block
        self.body = body  # first byte of the body
        self.end = end  # one past the last byte of the body
        self.content_type = content_type  # the raw Content-Type value, parameters included
        self.encoding = encoding  # lower-case Content-Transfer-Encoding


class Message:
    """The MIME tree as a flat tuple of parts with offsets.

    `raw` is what was given; `text` is the same, at most limits.MESSAGE of it, as Latin-1 with LF line ends, which the parts' offsets point into.
    """

    __slots__ = ("crlf", "flaws", "headers", "parts", "raw", "text")

    def __init__(self, raw: bytes, text: str, parts: tuple[Part, ...], headers: dict[str, str], flaws: tuple[str, ...], crlf: bool = False) -> None:
        self.raw = raw
        self.text = text
        self.parts = parts
        self.headers = headers  # of the root: lower-case name -> first value, unfolded, not yet RFC 2047-decoded
        self.flaws = flaws
        self.crlf = crlf  # every line of `raw` ends in CR LF


class Claim:
    """What one reader found about one address, before the claims of all readers are merged; it is filled step by step."""

    __slots__ = (
        *("action", "address", "command", "diagnostic", "final_address", "original_address", "remote_mta", "reply_code", "rule", "source"),
        *("spans", "status"),
    )

    def __init__(
        self,
        source: Source,
        rule: str = "",
        address: str = "",
        original_address: str = "",
        final_address: str = "",
        action: str = "",
        status: str = "",
        reply_code: str = "",
        diagnostic: str = "",
        command: str = "",
    ) -> None:
        self.source: Source = source
        self.rule = rule
        self.address = address  # where no field says whether it is the original or the final one
        self.original_address = original_address
        self.final_address = final_address
        self.action = action
        self.status = status
        self.reply_code = reply_code
        self.diagnostic = diagnostic
        self.command = command
        self.remote_mta = ""
        self.spans: dict[str, Span] = {}  # field name -> where its value stands in `Message.text`
