"""Asks the DNS whether a domain can receive mail, when that was asked for (`--check-dns`).

The rule that keeps this file honest: an answer may confirm a verdict or take certainty from it, and never adds any. Whoever can forge answers, or
silence a server, can so keep an address from being suppressed, and never get one suppressed. A message has 3 seconds and 10 queries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from msgspec import Struct
from msgspec.structs import replace

from bounceparse.model import Evidence, Report, Result, Verdict

State = Literal["receives", "refuses", "missing", "unknown"]

SECONDS: Final = 3.0  # for all the questions of one message
QUERIES: Final = 10
WAIT: Final = 1.0  # seconds for one answer, after which the next server is asked
HOSTS: Final = 3  # mail hosts of a domain that are looked up
KEPT: Final = 10_000  # answers that are remembered
SHORTEST: Final = 60  # seconds that an answer is remembered
LONGEST: Final = 3_600
UNSURE: Final = 30  # seconds that no answer is remembered

WAYS: Final = {"receives": "receives mail", "refuses": "takes no mail", "missing": "does not exist", "unknown": "could not be asked about"}


class Answer(Struct, frozen=True, gc=False):
    """What the DNS says of a domain: it receives mail, it refuses all (null MX, RFC 7505), it is missing, or nobody could tell."""

    domain: str
    state: State
    because: str
    hosts: tuple[str, ...] = ()
    seconds: int = UNSURE  # that this holds


class Budget:
    """What may still be spent on a message."""

    def __init__(self, seconds: float, queries: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.queries = queries

    def take(self) -> float:
        """Take one query; return the seconds that it may last, 0.0 when nothing is left."""
        left = self._end - self._clock()
        if left <= 0 or not self.queries:
            return 0.0
        self.queries -= 1
        return min(left, WAIT)


class Checker:
    """Asks and remembers; for use by many threads.

    `servers` are addresses of resolvers, those of the system where none are given. `seconds` and `queries` are what one message may cost.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        port: int = 53,
        *,
        seconds: float = SECONDS,
        queries: int = QUERIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = tuple(servers) or _system_servers()
        self._port = port
        self._seconds = seconds
        self._queries = queries
        self._clock = clock
        self._kept: dict[str, tuple[float, Answer]] = {}
        self._lock = threading.Lock()

    def budget(self) -> Budget:
        """Return what one message may cost."""
        return Budget(self._seconds, self._queries, self._clock)

    def check(self, domain: str, budget: Budget | None = None) -> Answer:
        """Return what the DNS says of a domain; never raises on a domain or an answer."""
        domain = domain.strip().rstrip(".").lower()
        now = self._clock()
        with self._lock:
            until, answer = self._kept.get(domain, (0.0, None))
        if answer is not None and now < until:
            return answer
        answer = _Search(self._servers, self._port, budget or self.budget()).run(domain)
        with self._lock:
            self._kept.pop(domain, None)
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[domain] = (now + answer.seconds, answer)
        return answer

    def weigh(self, report: Report) -> Report:
        """Return `report` with the verdicts that a domain does not exist weighed against the DNS, within the budget of one message."""
        if not any(verdict.reason == "domain_unknown" for _, verdict in report.results):
            return report
        budget = self.budget()
        return replace(report, results=tuple(self._weigh(result, budget) for result in report.results))

    def _weigh(self, result: Result, budget: Budget) -> Result:
        domain = result.recipient.address.rpartition("@")[2]
        if result.verdict.reason != "domain_unknown" or not domain:
            return result
        return Result(result.recipient, weigh(result.verdict, self.check(domain, budget)))


def weigh(verdict: Verdict, answer: Answer) -> Verdict:
    """Return a verdict that a domain does not exist, weighed against an answer: a domain that receives mail makes it a guess, which goes to review.

    Every answer is added to the evidence; none makes the verdict more certain than it was.
    """
    because = (*verdict.because, Evidence("dns", "DNS", f"{answer.domain}: {answer.because}"))
    return replace(verdict, because=because, certainty="guess" if answer.state == "receives" else verdict.certainty)


def _system_servers() -> tuple[str, ...]:
    try:
        return tuple(str(server) for server in dns.resolver.Resolver().nameservers)
    except dns.exception.DNSException:  # no resolv.conf
        return ()


class _UnansweredError(Exception):
    """Why a question has no answer."""


class _Search:
    """The questions about one domain."""

    def __init__(self, servers: tuple[str, ...], port: int, budget: Budget) -> None:
        self._servers = servers
        self._port = port
        self._budget = budget
        self._ttl = LONGEST

    def run(self, domain: str) -> Answer:
        try:
            return self._run(domain)
        except _UnansweredError as error:
            return Answer(domain, "unknown", str(error))

    def _run(self, domain: str) -> Answer:
        name = _name(domain)
        mx = self._ask(name, dns.rdatatype.MX)
        if mx is None:
            return self._answer(domain, "missing", "no such domain (NXDOMAIN)")
        hosts = [host for _, host in sorted((record.preference, record.exchange) for record in mx if isinstance(record, MX))]
        if not hosts:
            if self._addresses(name):
                return self._answer(domain, "receives", "no MX, but an address", (domain,))
            return self._answer(domain, "missing", "neither MX nor address")
        named = tuple(host.to_text(omit_final_dot=True) for host in hosts)
        if hosts == [dns.name.root]:
            return self._answer(domain, "refuses", "null MX: the domain takes no mail (RFC 7505)")
        unanswered = ""
        for host in hosts[:HOSTS]:
            try:
                if host != dns.name.root and self._addresses(host):
                    return self._answer(domain, "receives", f"MX {named[0]}", named)
            except _UnansweredError as error:
                unanswered = str(error)
        if unanswered or len(hosts) > HOSTS:
            raise _UnansweredError(unanswered or "the first mail hosts have no address")
        return self._answer(domain, "missing", f"no mail host has an address ({', '.join(named)})", named)

    def _answer(self, domain: str, state: State, because: str, hosts: tuple[str, ...] = ()) -> Answer:
        return Answer(domain, state, because, hosts, max(SHORTEST, min(self._ttl, LONGEST)))

    def _addresses(self, name: dns.name.Name) -> bool:
        """Whether a host has an address that mail could go to; one that leads back to whoever asks is none."""
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            for record in self._ask(name, kind) or ():
                address = ip_address(record.address if isinstance(record, A | AAAA) else "0.0.0.0")
                if not (address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local):
                    return True
        return False

    def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> list[dns.rdata.Rdata] | None:
        """Return the records of a name, none for none, None when there is no such name; raises when no server gives an answer to rely on."""
        trouble = "" if self._servers else "no DNS server is known"
        for server in self._rounds():
            wait = self._budget.take()
            if not wait:
                raise _UnansweredError(f"no answer in time ({trouble})" if trouble else "no answer in time")
            try:
                response = self._exchange(dns.message.make_query(name, kind, use_edns=0, payload=1232), server, wait)
            except (dns.exception.DNSException, OSError, EOFError) as error:
                trouble = _tell(error, server)
                self._servers = (*(other for other in self._servers if other != server), server)  # whoever answers is asked first from here on
                continue
            if not isinstance(response, dns.message.QueryMessage):
                raise _UnansweredError("the answer is too long for what may be asked")
            code = response.rcode()
            if code == dns.rcode.NXDOMAIN:
                self._remember(response)
                return None
            if code != dns.rcode.NOERROR:
                trouble = f"{server} says {dns.rcode.to_text(code)}"
                continue
            try:
                chain = response.resolve_chaining()
            except (dns.exception.DNSException, ValueError) as error:  # a loop of aliases, or an answer to another question
                trouble = _tell(error, server)
                continue
            if chain.answer is None:
                if any(found.rdtype not in (dns.rdatatype.CNAME, dns.rdatatype.RRSIG, dns.rdatatype.DNAME) for found in response.answer):
                    trouble = f"{server} answers another question"  # records, but not of this name
                    continue
                self._remember(response)
                return []
            self._ttl = min(self._ttl, chain.answer.ttl)
            return list(chain.answer)
        raise _UnansweredError(trouble)

    def _rounds(self) -> Iterator[str]:
        """Yield the servers, each twice."""
        for _ in range(2):
            yield from self._servers

    def _exchange(self, query: dns.message.QueryMessage, server: str, wait: float) -> dns.message.Message | None:
        """Return the answer of a server, over TCP where it was cut; None when there is no query left for that."""
        try:
            return dns.query.udp(
                query, server, wait, self._port, raise_on_truncation=True, ignore_unexpected=True, ignore_errors=True, ignore_trailing=True
            )
        except dns.message.Truncated:
            more = self._budget.take()
            return dns.query.tcp(query, server, more, self._port) if more else None

    def _remember(self, response: dns.message.Message) -> None:
        """Let a negative answer hold as long as its SOA says (RFC 2308)."""
        for found in response.authority:
            if found.rdtype == dns.rdatatype.SOA:
                self._ttl = min(self._ttl, found.ttl, found[0].minimum)
                return
        self._ttl = min(self._ttl, SHORTEST)


def _name(domain: str) -> dns.name.Name:
    if "." not in domain or domain.startswith("["):
        raise _UnansweredError("not a domain of the public DNS")
    try:
        return dns.name.from_text(domain, dns.name.root, dns.name.IDNA_2003)
    except (dns.exception.DNSException, UnicodeError):
        raise _UnansweredError("not a domain name") from None


def _tell(error: BaseException, server: str) -> str:
    if isinstance(error, dns.exception.Timeout):
        return f"{server} is silent"
    return f"{server}: {type(error).__name__}"
