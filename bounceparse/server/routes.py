"""The routes of the HTTP API in one list, and the OpenAPI document that is made from it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import Struct

from bounceparse import limits
from bounceparse.intake.webhooks import SERVICES
from bounceparse.intake.webhooks.request import BODY
from bounceparse.model import Suppression
from bounceparse.server import shapes
from bounceparse.server.work import JSON, Doing, Work

MAIL: Final = ("message/rfc822", "application/octet-stream")
SMALL: Final = 16 << 20  # bytes of a JSON body
_REF: Final = "#/components/schemas/{name}"


class Way(Struct, frozen=True):
    """One route: what it is for, whom it serves, what goes in and what comes out."""

    method: str
    path: str
    name: str
    what: str  # one sentence
    does: Doing
    scope: str  # of the token; "" for everybody
    answer: Any  # the shape; None for text or nothing
    query: type[Struct] = shapes.Nothing
    body: Any = None  # the shape of a JSON body, MAIL for a message
    most: int = 0  # bytes of the body
    statuses: tuple[int, ...] = ()  # beside 200 and those that every route may give
    good: int = 200


def ways(work: Work) -> tuple[Way, ...]:
    """Return the routes."""
    one = "/v1/suppressions/{address}"
    return (
        Way("POST", "/v1/parse", "parse", "The records of one message.", work.parse, "parse", shapes.Records, shapes.OfParse, MAIL, limits.MESSAGE),
        Way(
            "POST",
            "/v1/classify",
            "classify",
            "Verdicts on bare SMTP replies, in their order.",
            work.classify,
            "parse",
            shapes.Verdicts,
            body=shapes.Replies,
            most=SMALL,
        ),
        Way(
            "POST",
            "/v1/decide",
            "decide",
            "What to do with each address of a message; with apply, record it and do so.",
            work.decide,
            "parse",
            shapes.Decisions,
            shapes.OfDecide,
            MAIL,
            limits.MESSAGE,
        ),
        Way(
            "POST",
            "/v1/suppressions/check",
            "checkSuppressions",
            "Which of many addresses are not to be written to.",
            work.check,
            "read",
            shapes.Checked,
            body=shapes.Check,
            most=SMALL,
        ),
        Way(
            "GET",
            one,
            "getSuppression",
            "Why an address is not to be written to; 404 when nothing speaks against it.",
            work.get_suppression,
            "read",
            Suppression,
            shapes.OfSuppression,
            statuses=(404,),
        ),
        Way(
            "PUT",
            one,
            "putSuppression",
            "Suppress an address; 201 when it was not before, or not as strongly.",
            work.put_suppression,
            "write",
            Suppression,
            body=shapes.New,
            most=SMALL,
            statuses=(201, 404, 409),
        ),
        Way(
            "DELETE",
            one,
            "deleteSuppression",
            "End the suppressions of an address.",
            work.delete_suppression,
            "write",
            None,
            statuses=(404,),
            good=204,
        ),
        Way("GET", "/v1/events", "listEvents", "What was reported and decided, oldest first.", work.events, "read", shapes.Events, shapes.OfEvents),
        Way(
            "GET",
            "/v1/alerts",
            "listAlerts",
            "Trouble that the sender has to mend, the most frequent first.",
            work.alerts,
            "read",
            shapes.Alerts,
            shapes.OfAlerts,
        ),
        Way(
            "POST",
            "/v1/webhooks/{service}",
            "receiveEvents",
            "Events of a mail service, recognised by its own signature or secret.",
            work.webhook,
            "",
            Any,
            body=Any,
            most=BODY,
            statuses=(401, 403, 404),
        ),
        Way("GET", "/healthz", "getHealth", "Whether the server is alive.", work.health, "", shapes.Health),
        Way("GET", "/readyz", "getReadiness", "Whether the server can work: the ledger answers.", work.ready, "", shapes.Health),
        Way("GET", "/metrics", "getMetrics", "Counts for Prometheus.", work.measure, "metrics", None),
    )


_MEANS: Final = {
    400: "The request cannot be read.",
    401: "There is no token, or a wrong one; of mail services: no signature, or a wrong one.",
    403: "The token, or the mail service, may not do this.",
    404: "There is nothing of that kind.",
    409: "What is asked for cannot be.",
    408: "The body took too long.",
    413: "The body is too large.",
    415: "The body is of a type that is not read here.",
    422: "The request says what cannot be.",
    503: "Too much to do, or the ledger cannot be used; come again.",
}

_EVENTS: Final = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
_ANY_TYPE: Final = "JSON, whatever its Content-Type is; Amazon SNS says text/plain."


def describe(routes: Sequence[Way], *, tokens: bool) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    kinds = [kind for way in routes for kind in (way.answer, way.body, way.query) if isinstance(kind, type) and issubclass(kind, Struct)]
    names = list(dict.fromkeys([*kinds, shapes.Problem]))
    schemas, components = msgspec.json.schema_components(names, ref_template=_REF)
    schema_of = dict(zip(names, schemas, strict=True))
    queries = {kind.__name__: components.pop(kind.__name__) for kind in {way.query for way in routes}}
    paths: dict[str, Any] = {}
    for way in routes:
        paths.setdefault(way.path, {})[way.method.lower()] = _operation(way, schema_of, queries[way.query.__name__], tokens)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "bounceparse",
            "version": version("bounceparse"),
            "description": "Who was not reached, why, whose side must change, and who is not to be written to.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    if tokens:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def _operation(way: Way, schema_of: dict[Any, Any], query: dict[str, Any], tokens: bool) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": {key: value for key, value in schema.items() if key != "default"}}
        for name, schema in query.get("properties", {}).items()
    ]
    for parameter in parameters:
        parameter["schema"] = _without_null(parameter["schema"])
    if "{address}" in way.path:
        parameters.append({"name": "address", "in": "path", "required": True, "schema": msgspec.json.schema(shapes.Address)})
    if "{service}" in way.path:
        parameters.append({"name": "service", "in": "path", "required": True, "schema": {"type": "string", "enum": list(SERVICES)}})
    good: dict[str, Any] = {"description": "Done."}
    if way.answer is Any:
        good["content"] = {JSON: {"schema": {"type": "object"}}}
    elif way.answer is not None:
        good["content"] = {JSON: {"schema": schema_of[way.answer]}}
    elif way.good != 204:
        good["content"] = {"text/plain": {"schema": {"type": "string"}}}
    responses = {str(way.good): good}
    codes = {400, 503, *way.statuses}
    if "{address}" in way.path:
        codes.add(422)
    if way.body is not None:
        codes |= {408, 413, 415} | ({422} if way.body is not MAIL else set())
    if way.scope and tokens:
        codes |= {401, 403}
    if way.name == "decide":
        codes.add(403)
    for code in sorted(codes):
        if code < 300:
            responses[str(code)] = good
        else:
            kind = shapes.Health if way.name == "getReadiness" and code == 503 else shapes.Problem
            schema = schema_of[kind] if kind is shapes.Problem else {"type": "object"}
            responses[str(code)] = {"description": _MEANS[code], "content": {JSON: {"schema": schema}}}
    operation: dict[str, Any] = {"operationId": way.name, "summary": way.what, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if way.body is MAIL:
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MAIL}}
    elif way.body is Any:
        operation["requestBody"] = {"required": True, "description": _ANY_TYPE, "content": {JSON: {"schema": _EVENTS}}}
    elif way.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema_of[way.body]}}}
    if tokens and way.scope:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs a token with the scope `{way.scope}`."
    return operation


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which is not there rather than null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    if len(kinds) == 1:
        return kinds[0]  # type: ignore[no-any-return]
    if kinds:
        return {"anyOf": kinds}
    if "enum" in schema:
        return {"type": "string", "enum": [value for value in schema["enum"] if value is not None]}
    return schema
