"""Outlook .msg files, through mail-parser and the converter it finds; loaded only when such a file is met."""

from __future__ import annotations

import logging
import tempfile

from bounceparse.intake.failure import UnreadableError

NEEDED = "an Outlook .msg file needs a converter: pip install 'mail-parser[outlook]', or the msgconvert program of libemail-outlook-message-perl"


def read_msg(data: bytes) -> bytes:
    """Return the message of an Outlook .msg file, as RFC 5322 bytes. Raises UnreadableError when it cannot be converted."""
    import importlib.util
    import shutil

    if importlib.util.find_spec("extract_msg") is None and shutil.which("msgconvert") is None:
        raise UnreadableError(NEEDED)
    from mailparser import parse_from_file_msg  # type: ignore[import-untyped]

    logging.getLogger("mailparser").addHandler(logging.NullHandler())
    with tempfile.NamedTemporaryFile(suffix=".msg") as file:
        file.write(data)
        file.flush()
        try:
            return bytes(parse_from_file_msg(file.name).message.as_bytes())
        except Exception as error:  # the converters raise whatever their own formats meet
            raise UnreadableError(f"the Outlook .msg file could not be converted: {error or type(error).__name__}") from error
