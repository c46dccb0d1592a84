"""What listens: HTTP for programs and mail services, LMTP for mail servers."""
