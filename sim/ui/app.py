"""The routes of `fleetcast ui`, and nothing else: what they do is in `service`, who may ask in `access`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import resources
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from sim.config.errors import ConfigError, DataError
from sim.ui.access import Access
from sim.ui.crew.crew import BugError
from sim.ui.crew.jobs import JobsFullError, problems_told
from sim.ui.service import BusyError, LongError, OvertakenError, Service, told
from sim.ui.wire.asked import Compare, Link, Look, NewJob, Open, Shared, State
from sim.ui.wire.link import unpacked
from sim.ui.wire.told import About, CurveTold, JobTold, LongTold, LookTold, Opened, Problems
from sim.version import VERSION

__all__ = ["application", "guarded"]

_FILES = {
    "app.js": "text/javascript",
    "charts.js": "text/javascript",
    "jobs.js": "text/javascript",
    "knobs.js": "text/javascript",
    "server.js": "text/javascript",
    "state.js": "text/javascript",
    "style.css": "text/css",
    "words.js": "text/javascript",
}
_STORED_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'; base-uri 'none'"
)
"""A stored page has its scripts in itself; in a sandbox it is of no origin, so it cannot ask this server anything."""
_SAID = {
    400: "No JSON.",
    401: "No token.",
    403: "Of another host or page.",
    404: "There is no such.",
    405: "Not in this way.",
    408: "Too slow.",
    409: "Overtaken by a later question of the same client.",
    413: "Too large.",
    422: "Wrong, and where.",
    429: "Too much at once; try again after `Retry-After` seconds.",
    500: "Our mistake.",
}
Id = Annotated[str, Path(pattern="^[0-9a-f]{16,20}$", max_length=20)]


def _answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problems, "description": _SAID[code]} for code in (401, 403, *codes)}


_ASKED = _answers(400, 408, 413, 422)
_WORKED_OUT = _answers(400, 408, 413, 422, 429, 500)
_LOOKED = _answers(400, 408, 409, 413, 422, 429, 500) | {
    202: {"model": LongTold, "description": "Takes too long to wait for: ask for a job."}
}


def guarded(service: Service, token: str, host: str, port: int) -> Access:
    """The whole server: the routes behind the door."""
    return Access(application(service), token, host, port, service.limits)


def application(service: Service) -> FastAPI:
    """The routes."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="fleetcast ui",
        version=VERSION,
        description="What the page of `fleetcast ui` asks. Everything needs the token the command prints.",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=life,
        openapi_tags=[{"name": "page"}, {"name": "simulation"}, {"name": "jobs"}],
    )
    _errors(app)
    _pages(app, service)
    _simulation(app, service)
    _jobs(app, service)
    _document_token(app)
    return app


def _pages(app: FastAPI, service: Service) -> None:
    page = resources.files("sim.ui").joinpath("page")
    files = {name: page.joinpath(name).read_bytes() for name in ("index.html", *_FILES)}
    plotly = str(resources.files("plotly").joinpath("package_data", "plotly.min.js"))

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return Response(files["index.html"], media_type="text/html; charset=utf-8")

    @app.get("/page/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name == "plotly.js":
            headers = {"cache-control": "private, max-age=86400"}
            return FileResponse(plotly, media_type="text/javascript", headers=headers)
        if name not in _FILES:
            raise HTTPException(404, "there is no such file")
        return Response(files[name], media_type=_FILES[name])

    @app.get("/api/about", tags=["page"], responses=_answers())
    def about() -> About:
        """The scenarios that ship, and what is stored."""
        return service.about()

    @app.get(
        "/stored/{id_}",
        tags=["page"],
        responses=_answers(404, 422) | {200: {"content": {"text/html": {}}, "description": "The stored page."}},
        response_class=Response,
    )
    def stored(id_: Id) -> Response:
        """The page of a stored run, study or plan."""
        found = None if service.shelf is None else service.shelf.all().get(id_)
        if found is None or found.page is None:
            raise HTTPException(404, "nothing with a page is stored under this id")
        try:
            about = found.page.stat()
        except OSError:
            raise HTTPException(404, "this page has been taken away") from None
        if about.st_size > service.limits.stored_bytes:
            raise HTTPException(404, "this page is too large to be shown here; open its file")
        headers = {"content-security-policy": _STORED_POLICY, "cross-origin-resource-policy": "same-origin"}
        return FileResponse(found.page, headers=headers, media_type="text/html; charset=utf-8", stat_result=about)

    @app.post("/api/link", tags=["page"], responses=_ASKED)
    def link(asked: Link) -> Shared:
        """The state that a shared link holds."""
        return unpacked(asked.link, service.limits)


def _simulation(app: FastAPI, service: Service) -> None:
    @app.post("/api/open", tags=["simulation"], responses=_WORKED_OUT)
    async def open_(asked: Open) -> Opened:
        """A scenario, and the sliders that it has."""
        return await service.open(asked.source)

    @app.post("/api/curve", tags=["simulation"], response_model=CurveTold, responses=_LOOKED)
    async def curve(asked: Look) -> Response:
        """The curve of a state: what moves with a slider. Of one client the latest question wins."""
        return await _looked(service.curve, asked)

    @app.post("/api/look", tags=["simulation"], response_model=LookTold, responses=_LOOKED)
    async def look(asked: Look) -> Response:
        """All charts of a state. Of one client the latest question wins; what it asked before may be dropped."""
        return await _looked(service.look, asked)

    @app.post(
        "/api/scenario",
        tags=["simulation"],
        responses=_WORKED_OUT | {200: {"content": {"application/yaml": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    async def scenario(asked: State) -> Response:
        """The state as a scenario file, which `fleetcast run` takes."""
        return Response(await service.scenario(asked), media_type="application/yaml")


async def _looked(work: Callable[[Look], Awaitable[dict[str, Any]]], asked: Look) -> Response:
    try:
        found = await work(asked)
    except LongError as error:  # no error: a browser would tell its user of one
        long = LongTold(number=asked.number, expected_requests=error.expected_requests)
        return JSONResponse(long.model_dump(), 202)
    return Response(json.dumps(found, allow_nan=False, separators=(",", ":")), media_type="application/json")


def _jobs(app: FastAPI, service: Service) -> None:
    @app.post("/api/jobs", tags=["jobs"], status_code=202, responses=_WORKED_OUT)
    async def start(asked: NewJob) -> JobTold:
        """Start a comparison, or a look that takes long."""
        if isinstance(asked, Compare):
            for state in (asked.baseline, asked.other):
                await service.open(state.source)  # what is wrong with it is told now
            return service.jobs.start("compare", asked)
        opened, wanted = await service.sizes(asked.state)
        size_key = next(each.size_key for each in opened.pools if asked.state.pool in (None, each.name))
        word = "replicas" if size_key.endswith(".replicas") else "most replicas"

        def whole(value: dict[str, Any]) -> dict[str, Any]:
            found = None if value["found"] is None else told(value["found"], value["found"]["points"], 0, word)
            return value | {"found": found}

        return service.jobs.start("look", asked.state, tuple(wanted), whole=whole)

    @app.get("/api/jobs/{id_}", tags=["jobs"], responses=_answers(404, 422))
    def job(id_: Id) -> JobTold:
        """How far a job is."""
        return _found(service.jobs.get(id_))

    @app.post("/api/jobs/{id_}/cancel", tags=["jobs"], responses=_answers(404, 422))
    def cancel(id_: Id) -> JobTold:
        """Cancel a job; one that is over stays as it is."""
        return _found(service.jobs.cancel(id_))


def _found(job: JobTold | None) -> JobTold:
    if job is None:
        raise HTTPException(404, "there is no such job; it may be too long ago")
    return job


# -- errors and the document -------------------------------------------------------------------------------------------


def _errors(app: FastAPI) -> None:
    """Every error as `Problems`, in the words of the command line where it is one of those."""

    @app.exception_handler(ConfigError)
    @app.exception_handler(DataError)
    async def wrong(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ConfigError | DataError)
        return JSONResponse({"problems": [each.model_dump() for each in problems_told(error)]}, 422)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [
            _problem(".".join(str(step) for step in each["loc"] if step != "body"), str(each["msg"]))
            for each in error.errors()[:20]
        ]
        return JSONResponse({"problems": found}, 422)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"problems": [_problem("", str(error.detail))]}, error.status_code, error.headers)

    @app.exception_handler(BusyError)
    @app.exception_handler(JobsFullError)
    async def busy(_: Request, __: Exception) -> JSONResponse:
        told = "this server has as much to do as it takes at a time; try again in a moment"
        return JSONResponse({"problems": [_problem("", told)]}, 429, {"retry-after": "1"})

    @app.exception_handler(OvertakenError)
    async def overtaken(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"problems": [_problem("", "a later question of this client has taken its place")]}, 409)

    @app.exception_handler(BugError)
    async def bug(_: Request, error: Exception) -> JSONResponse:
        told = f"this is a bug in fleetcast, not in your scenario; please report it with these lines: {error}"
        return JSONResponse({"problems": [_problem("", told)]}, 500)


def _problem(place: str, message: str) -> dict[str, str]:
    """A problem that JSON in UTF-8 can hold, whatever was sent."""
    plain = [text.encode("utf-8", "backslashreplace").decode()[:2000] for text in (place, message)]
    return {"place": plain[0], "message": plain[1]}


def _document_token(app: FastAPI) -> None:
    """Say in the OpenAPI document that everything needs the token."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
