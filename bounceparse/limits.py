"""Every limit in one place, with the system that set the precedent.

The rule that keeps this file honest: a limit clips and leaves a flaw in the report; none of them raises, and none depends on time.
"""

from __future__ import annotations

from typing import Final

MESSAGE: Final = 26_214_400  # bytes read of one message; 25 MiB, the size Gmail and Outlook.com accept
HEADER_BLOCK: Final = 102_400  # bytes of one header block; Postfix header_size_limit
HEADERS: Final = 1_000  # fields kept of one block; Haraka's max_header_lines
BOUNDARY: Final = 200  # characters of a boundary; RFC 2046 says 70, Postfix compares 2,048
PARTS: Final = 1_000  # leaves and containers of one message; Haraka, nodemailer
DEPTH: Final = 20  # MIME levels; Postfix mime_nesting_limit is 100, real bounces stay under 6
TEXT: Final = 65_536  # characters of a text part that are read for evidence; Postfix returns 50,000 bytes
STATUS_PART: Final = 4_194_304  # bytes of a delivery-status part; 10,000 recipients fit
RECIPIENTS: Final = 10_000  # recipients kept of one report
LINE: Final = 2_048  # characters of one line that are matched; Postfix line_length_limit
DIAGNOSTIC: Final = 2_000  # characters kept of a diagnostic; RFC 5321 4.5.3.1.5 allows 512 a line
ADDRESS: Final = 320  # characters of an address; RFC 5321 4.5.3.1: 64 + 1 + 255
FIELD: Final = 998  # characters kept of any other field of the record; RFC 5322 2.1.1
GAP: Final = 60  # characters that the gap of a phrase may span
SECOND_OPINION: Final = 12_288  # bytes handed to flufl.bounce, whose patterns are quadratic on blanks
SECOND_OPINION_LINES: Final = 250  # lines of them; each is tried against 42 patterns, several times over
EVIDENCE: Final = 12  # pieces of evidence kept for one recipient
