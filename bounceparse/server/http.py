"""The HTTP API: recognised, bounded, counted, logged.

What keeps this file honest: nothing is read of a request before its token is good; a body has an end in bytes and in time; only so many requests are
worked on at once, and the others are told to come again; whatever goes wrong inside is one line in the log and tells the caller nothing. Without
tokens it serves the loopback interface alone, and programs alone: a page in a browser can neither name us as its host nor send what we read.
"""

from __future__ import annotations

import ipaddress
import json
import time
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bounceparse.ledger import LedgerError
from bounceparse.server import shapes
from bounceparse.server.access import Access
from bounceparse.server.log import Log
from bounceparse.server.routes import MAIL, Way, describe, ways
from bounceparse.server.work import JSON, Answer, Call, ProblemError, Work

RUNNING: Final = 32  # requests at once
THREADS: Final = 4  # that work; the rest of the running ones are being read or written
HELD: Final = 128 << 20  # bytes of all bodies at once
READING: Final = 30.0  # seconds that a body may take
WORKING: Final = 60.0  # seconds after which a caller is told to come again

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
_encode: Final = msgspec.json.Encoder().encode


def build_app(
    work: Work,
    access: Access | None = None,
    log: Log | None = None,
    *,
    running: int = RUNNING,
    reading: float = READING,
    working: float = WORKING,
) -> Starlette:
    """Return the ASGI application. `running`, `reading` and `working` are limits: requests at once, seconds for a body, seconds for the work."""
    log = log or Log()
    access = access or Access()
    gate = Gate(running, reading, working)
    routes = ways(work)
    by_path: dict[str, dict[str, Way]] = {}
    for way in routes:
        by_path.setdefault(way.path, {})[way.method] = way
    document = json.dumps(describe(routes, tokens=bool(access.tokens))).encode()

    async def serve_document(request: Request) -> Response:
        return Response(document, media_type=JSON, headers=_HEADERS)

    served = [
        Route(path.replace("{address}", "{address:address}"), Endpoint(methods, work, access, gate, log), methods=list(methods))
        for path, methods in by_path.items()
    ]
    return Starlette(
        routes=[Route("/openapi.json", serve_document, methods=["GET"]), *served],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


class AddressConvertor(Convertor[str]):
    """Any path with an "@" in it: a local part may hold a slash."""

    regex = ".*@.*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("address", AddressConvertor())


class Gate:
    """How much may happen at once."""

    def __init__(self, running: int, reading: float, working: float) -> None:
        self.most = running
        self.reading = reading
        self.working = working
        self.running = 0
        self.held = 0
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def limiter(self) -> anyio.CapacityLimiter:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(THREADS)
        return self._limiter


class Endpoint:
    """One path with its methods, as an ASGI application."""

    def __init__(self, methods: dict[str, Way], work: Work, access: Access, gate: Gate, log: Log) -> None:
        self._methods = methods
        self._work = work
        self._access = access
        self._gate = gate
        self._log = log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        way = self._methods.get(request.method) or self._methods["GET"]  # HEAD
        began = time.perf_counter()
        metrics, gate = self._work.metrics, self._gate
        remark = ""
        metrics.running.inc()
        gate.running += 1
        held = [0]
        try:
            answer = await self._answer(request, way, held)
            remark = answer.remark
        except ProblemError as error:
            answer, remark = Answer(error.status, shapes.Problem(str(error))), str(error)
        except ClientDisconnect:
            answer, remark = Answer(400, shapes.Problem("the body did not come")), "the caller went away"
        except LedgerError as error:
            answer, remark = Answer(503, shapes.Problem("the ledger cannot be used; come again")), str(error)
        except Exception as error:  # noqa: BLE001 - one request fails, the others go on
            answer, remark = Answer(500, shapes.Problem("something went wrong here; the log says what")), _where(error)
        finally:
            gate.running -= 1
            gate.held -= held[0]
            metrics.running.dec()
        metrics.requests.labels(way.name, str(answer.status)).inc()
        took = time.perf_counter() - began
        metrics.seconds.labels(way.name).observe(took)
        said = {"remark": remark} if remark else {}
        self._log("http", route=way.name, status=answer.status, ms=round(took * 1000), **said)
        await _respond(answer)(scope, receive, send)

    async def _answer(self, request: Request, way: Way, held: list[int]) -> Answer:
        by = self._admit(request, way)
        if self._gate.running > self._gate.most and way.path not in ("/healthz", "/readyz", "/metrics"):
            raise ProblemError(503, "too much to do; come again")
        query = _query(request, way)
        if getattr(query, "apply", False):
            by = self._admit(request, way, "write")
        body = await self._body(request, way, held) if way.most else b""
        call = Call(body, query, dict(request.path_params), dict(request.headers), by)
        with anyio.move_on_after(self._gate.working):
            return await anyio.to_thread.run_sync(way.does, call, limiter=self._gate.limiter, abandon_on_cancel=True)
        raise ProblemError(503, "this took too long; come again")

    def _admit(self, request: Request, way: Way, scope: str = "") -> str:
        """Return who comes; raises ProblemError when he may not."""
        scope = scope or way.scope
        if not self._access.tokens:
            if scope and not _is_loopback(request.headers.get("host", "")):
                raise ProblemError(403, "without tokens this server is for the loopback interface alone")
            return "api"
        if not scope:
            return way.path.rpartition("/")[2]
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        token = self._access.find(shown.strip()) if kind.lower() == "bearer" else None
        if token is None:
            raise ProblemError(401, "no token, or a wrong one")
        if scope not in token.scopes:
            raise ProblemError(403, f"this token may not {scope}")
        return f"api:{token.name}"

    async def _body(self, request: Request, way: Way, held: list[int]) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = MAIL if way.body is MAIL else (JSON,)
        if way.scope and kind not in wanted:  # mail services call theirs what they like
            raise ProblemError(415, f"send {' or '.join(wanted)}")
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > way.most:
            raise ProblemError(413, f"more than {way.most:,} bytes")
        chunks: list[bytes] = []
        with anyio.move_on_after(self._gate.reading):
            async for chunk in request.stream():
                held[0] += len(chunk)
                self._gate.held += len(chunk)
                if held[0] > way.most:
                    raise ProblemError(413, f"more than {way.most:,} bytes")
                if self._gate.held > HELD:
                    raise ProblemError(503, "too much to do; come again")
                chunks.append(chunk)
            return b"".join(chunks)
        raise ProblemError(408, "the body took too long")


def _query(request: Request, way: Way) -> Any:
    """Return the parameters of a request; raises ProblemError for one that is not known, twice there, or of the wrong kind."""
    pairs = request.query_params.multi_items()
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ProblemError(400, "a parameter is there twice")
    for name in ("since", "until"):
        if "-" not in values.get(name, "0-")[1:]:  # a bare number would pass for seconds since 1970
            raise ProblemError(400, f"{name} is no time; write 2026-11-23T10:00:00Z")
    try:
        return msgspec.convert(values, way.query, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(400, str(error)) from None


def _is_loopback(host: str) -> bool:
    """Say whether a Host field names this machine: a page that had its own name point here cannot."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if name.lower() in ("localhost", ""):
        return bool(name)
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _where(error: BaseException) -> str:
    """Return where a program error happened, without what it says, which may quote a mail."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return type(error).__name__ + (f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace is not None else "")


def _respond(answer: Answer) -> Response:
    content = answer.content if isinstance(answer.content, bytes) else _encode(answer.content)
    headers = dict(_HEADERS)
    if answer.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if answer.status == 503:
        headers["Retry-After"] = "5"
    if answer.status == 204:
        return Response(status_code=204, headers=headers)
    return Response(content, answer.status, headers, media_type=answer.type)


async def _not_found(request: Request, error: Exception) -> Response:
    return _respond(Answer(404, shapes.Problem("there is no such route")))


async def _not_allowed(request: Request, error: Exception) -> Response:
    response = _respond(Answer(405, shapes.Problem("this route has no such method")))
    allowed = getattr(error, "headers", None) or {}
    response.headers.update(allowed)
    return response
