"""From a `Message` to claims about recipients: one source of evidence per file, none of which judges."""
