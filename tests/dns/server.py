"""A DNS server on loopback, over UDP and TCP, with good and bad manners."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Manner = Callable[["Server", dns.message.Message, dns.message.Message, bool], bytes | None]
"""Takes the server, the question, the honest answer and whether it came over TCP; returns what is sent, None for nothing."""


def honest(server: Server, query: dns.message.Message, answer: dns.message.Message, tcp: bool) -> bytes | None:
    return answer.to_wire()


class Server:
    """Answers from `zone`: (name, type) → texts of records, with "NXDOMAIN", "SERVFAIL" and the like for a name as a whole."""

    def __init__(self, zone: dict[tuple[str, str], list[str]], manner: Manner = honest, delay: float = 0.0) -> None:
        self.zone = zone
        self.manner = manner
        self.delay = delay
        self.asked: list[tuple[str, str, str]] = []  # name, type, transport
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self._closing = False
        self._threads = [threading.Thread(target=self._serve_udp, daemon=True), threading.Thread(target=self._serve_tcp, daemon=True)]

    def __enter__(self) -> Server:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with closing(self.udp), closing(self.tcp):
            self.udp.sendto(b"", ("127.0.0.1", self.port))
            socket.create_connection(("127.0.0.1", self.port)).close()
            for thread in self._threads:
                thread.join(5)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The honest answer."""
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        response = dns.message.make_response(query, recursion_available=True)
        code = next((records[0] for (known, what), records in self.zone.items() if known == name and what == "CODE"), "")
        if code:
            response.set_rcode(dns.rcode.from_text(code))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        for _ in range(10):
            if (name, "CNAME") not in self.zone or kind == "CNAME":
                break
            target = self.zone[name, "CNAME"][0]
            response.answer.append(dns.rrset.from_text(name + ".", 300, "IN", "CNAME", target))
            name = target.rstrip(".")
        if (name, kind) in self.zone:
            response.answer.append(dns.rrset.from_text(name + ".", 300, "IN", kind, *self.zone[name, kind]))
        if not response.answer:
            soa = "ns.example.test. root.example.test. 1 7200 3600 1209600 120"
            response.authority.append(dns.rrset.from_text("test.", 900, "IN", "SOA", soa))
        return response

    def _reply(self, wire: bytes, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append((question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype), "tcp" if tcp else "udp"))
        if self.delay:
            time.sleep(self.delay)
        return self.manner(self, query, self.answer(query), tcp)

    def _serve_udp(self) -> None:
        while True:
            wire, asker = self.udp.recvfrom(65_535)
            if self._closing:
                return
            reply = self._reply(wire, tcp=False)
            if reply is not None:
                self.udp.sendto(reply, asker)

    def _serve_tcp(self) -> None:
        while True:
            link, _ = self.tcp.accept()
            if self._closing:
                link.close()
                return
            with closing(link):
                link.settimeout(5)
                head = link.recv(2, socket.MSG_WAITALL)
                if len(head) == 2:
                    reply = self._reply(link.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL), tcp=True)
                    if reply is not None:
                        link.sendall(struct.pack("!H", len(reply)) + reply)
