"""The closed list of flaws: what was wrong with, or cut from, a message that was read all the same."""

from __future__ import annotations

from typing import Final

CUT_MESSAGE: Final = "message_cut"  # longer than limits.MESSAGE; the rest was not read
CUT_HEADERS: Final = "headers_cut"
CUT_PARTS: Final = "parts_cut"
CUT_DEPTH: Final = "depth_cut"
CUT_TEXT: Final = "text_cut"
CUT_RECIPIENTS: Final = "recipients_cut"
EMPTY: Final = "empty"  # no bytes at all
NO_HEADERS: Final = "no_headers"  # does not begin with a header field
NO_BOUNDARY: Final = "no_boundary"  # a multipart without a usable boundary
CUT_LINE: Final = "last_line_cut"  # does not end with a line end: the last line may be cut and is no evidence
UNCLOSED: Final = "unclosed"  # the closing delimiter of a multipart is missing: the message may be cut
BAD_ENCODING: Final = "bad_encoding"  # base64 or quoted-printable that does not decode cleanly
BAD_CHARSET: Final = "bad_charset"  # an unknown charset, or bytes that are not in it
BAD_ADDRESS: Final = "bad_address"  # a recipient field that holds no address
SECOND_OPINION: Final = "second_opinion_failed"  # flufl.bounce or the email package raised
HTML: Final = "html_unreadable"

ALL: Final = frozenset(value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str))
CUTS: Final = frozenset({CUT_MESSAGE, CUT_HEADERS, CUT_PARTS, CUT_DEPTH, CUT_RECIPIENTS, CUT_LINE, UNCLOSED})
"""Flaws after which a verdict is never `certain`: part of the report was not seen."""
