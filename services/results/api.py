"""The jobs API: what became of each study, and asking for it again."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.telemetry import TelemetryConfig

from services.results.archive import AmbiguousJob, Archive
from services.results.failures import Failures, Wanted
from services.results.progress import JobStatus
from services.results.pruning import Pruner
from services.results.requests import Conflict, Desk, UnknownJob
from services.results.views import (
    FailureView,
    JobSummary,
    JobView,
    PruneView,
    RunStarted,
    SomeDoneView,
)
from shared.errors import Unavailable
from shared.events.models import Lane
from shared.health import WhyNot, health_route
from shared.version import CODE_VERSION

_UNTOLD: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own spans and logs quote what was asked, and a question is no part of a job's way."""


class Problem(Exception):
    """An answer by RFC 9457: `code` for programs, `detail` and `remedy` for people."""

    def __init__(self, status: int, code: str, detail: str, remedy: str) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.remedy = status, code, detail, remedy


def create_app(
    archive: Archive, desk: Desk, pruner: Pruner, why_not: WhyNot, changed: Callable[[], None]
) -> FastAPI:
    """The application; `changed` is called when the outbox has something new."""
    app = FastAPI(
        title="Clarion results",
        version=CODE_VERSION,
        telemetry=_UNTOLD,
        docs_url=None,  # its pages load scripts from elsewhere, and a hospital's network lets none
        redoc_url=None,
    )
    app.router.routes.append(health_route("results", why_not))

    @app.get("/jobs")
    def jobs(
        status: JobStatus | None = None,
        pipeline: str | None = None,
        case_id: Annotated[list[str] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
        undelivered: bool = False,
    ) -> list[JobSummary]:
        """The newest run of each job, newest jobs first; of some cases, or of all.

        `undelivered`: only those of which a delivery waits, is held or has failed. What a newer
        version or a later run replaced while it waited is none of these, nor what was discarded.
        """
        return archive.list(status, pipeline, limit, case_id, undelivered=undelivered)

    @app.get("/pipelines")
    def pipelines() -> Sequence[str]:
        """Every pipeline that any job went through."""
        return archive.pipelines()

    @app.get("/jobs/{job_id}", responses=_problems(404, 409))
    def job(job_id: str) -> JobView:
        """A job; the beginning of its id will do where no other job's begins so."""
        found = archive.show(_found(archive, job_id))
        if found is None:
            raise _unknown(job_id)
        return found

    @app.post("/jobs/{job_id}/rerun", status_code=202, responses=_problems(404, 409))
    def rerun(job_id: str, fresh: bool = False) -> RunStarted:
        """Run a finished job again; `fresh` computes everything anew."""
        whole = _found(archive, job_id)
        run = desk.rerun(whole, fresh)
        changed()
        return RunStarted(job_id=whole, run=run)

    @app.post("/jobs/{job_id}/cancel", status_code=202, responses=_problems(404, 409))
    def cancel(job_id: str) -> JobView:
        """End a running job; nothing of it is delivered."""
        whole = _found(archive, job_id)
        desk.cancel(whole)
        changed()
        return job(whole)

    @app.post("/jobs/{job_id}/discard", responses=_problems(404, 409))
    def discard(job_id: str) -> JobView:
        """Leave a job's failures at that; they are listed no more."""
        whole = _found(archive, job_id)
        desk.discard(whole)
        return job(whole)

    @app.post("/jobs/{job_id}/lane", status_code=202, responses=_problems(404, 409))
    def lane(job_id: str, lane: Lane) -> JobView:
        """Have a job's queued work, its deliveries and its later runs go by another lane."""
        whole = _found(archive, job_id)
        desk.change_lane(whole, lane)
        changed()
        return job(whole)

    @app.post("/prune", responses=_problems(422))
    def prune(
        older_than_days: Annotated[float, Query(gt=0, le=36_500)],
        after: str | None = None,
        dry_run: bool = False,
    ) -> PruneView:
        """Remove what some jobs made that ended so long ago; `next` is `after` of the next call."""
        older_than = timedelta(days=older_than_days)
        if older_than < pruner.least:
            raise _too_young(pruner.least)
        return pruner.prune(older_than, after=after, dry_run=dry_run)

    _add_failures(app, archive, Failures(archive, desk), changed)
    _answer_problems(app)
    return app


def _add_failures(
    app: FastAPI, archive: Archive, failures: Failures, changed: Callable[[], None]
) -> None:
    def wanted(
        job: str | None = None,
        code: str | None = None,
        service: str | None = None,
        stage: str | None = None,
    ) -> Wanted:
        return Wanted(_found(archive, job) if job else None, code, service, stage)

    def chosen(
        wanted: Annotated[Wanted, Depends(wanted)],
        all_of_them: Annotated[bool, Query(alias="all")] = False,
    ) -> Wanted:
        """All of them only when that was said."""
        if wanted == Wanted() and not all_of_them:
            remedy = "Name a job, a code, a service or a stage, or say all=true."
            raise Problem(422, "nothing-chosen", "Which failures was not said.", remedy)
        return wanted

    @app.get("/failures", responses=_problems(404, 409))
    def listed(
        wanted: Annotated[Wanted, Depends(wanted)],
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> Sequence[FailureView]:
        """The stages that gave up, in each job's newest run, newest first.

        A job that a newer version of the study replaced is left out unless it is named.
        """
        return failures.list(wanted, limit)

    @app.get(
        "/failures/{job_id}/{stage}/details",
        response_class=PlainTextResponse,
        responses=_problems(404, 409),
    )
    def details(job_id: str, stage: str) -> str:
        """What the service said when a stage of a job gave up; it may quote the study's values."""
        said = failures.details(_found(archive, job_id), stage)
        if said is None:
            raise _no_details(stage)
        return said

    @app.post("/failures/replay", status_code=202, responses=_problems(404, 409))
    def replay(
        wanted: Annotated[Wanted, Depends(chosen)], fresh: bool = False, after: str | None = None
    ) -> SomeDoneView:
        """Run some jobs with such failures again, from where they stopped, oldest jobs first.

        `next` is `after` of the next call.
        """
        done = failures.replay(wanted, fresh, after)
        changed()
        return done

    @app.post("/failures/discard", responses=_problems(404, 409))
    def discard_all(
        wanted: Annotated[Wanted, Depends(chosen)], after: str | None = None
    ) -> SomeDoneView:
        """Leave some jobs with such failures at that; `next` is `after` of the next call."""
        return failures.discard(wanted, after)


def _found(archive: Archive, job_id: str) -> str:
    found = archive.find(job_id)
    if found is None:
        raise _unknown(job_id)
    return found


def _unknown(job_id: str) -> Problem:
    remedy = "List the jobs (GET /jobs) and take an id, or its beginning, from there."
    return Problem(404, "unknown-job", f"No job's id begins with {job_id!r}.", remedy)


def _no_details(stage: str) -> Problem:
    remedy = "List the failures (GET /failures): `details` is null where nothing more is known."
    return Problem(404, "no-details", f"Nothing more is known of the stage {stage!r}.", remedy)


def _too_young(least: timedelta) -> Problem:
    remedy = f"Say at least {least / timedelta(days=1):g} days."
    return Problem(422, "too-young", "Events of such jobs may be read again.", remedy)


def _answer_problems(app: FastAPI) -> None:
    def problem(_: Request, error: Exception) -> JSONResponse:
        return _response(_problem_of(error))

    for kind in (Problem, Conflict, UnknownJob, AmbiguousJob, Unavailable, RequestValidationError):
        app.add_exception_handler(kind, problem)


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, Conflict):
        return Problem(409, error.code, error.detail, error.remedy)
    if isinstance(error, AmbiguousJob):
        remedy = "Give more of the id."
        return Problem(409, "ambiguous-job", "Several jobs' ids begin so.", remedy)
    if isinstance(error, UnknownJob):
        return _unknown(str(error))
    if isinstance(error, Unavailable):
        remedy = f"Wait until the {error.what} answers again; /health says when."
        return Problem(503, f"{error.what}-unavailable", f"The {error.what} is down.", remedy)
    wrong: Sequence[Any] = getattr(error, "errors", list)()
    fields = ", ".join(f"{each['loc'][-1]} ({each['msg']})" for each in wrong)
    remedy = "See /openapi.json for what may be asked."
    return Problem(422, "invalid-request", f"Not understood: {fields}.", remedy)


def _response(problem: Problem) -> JSONResponse:
    body = {
        "type": f"urn:clarion:problem:{problem.code}",
        "title": problem.code.replace("-", " ").capitalize(),
        "status": problem.status,
        "detail": f"{problem.detail} {problem.remedy}",
        "code": problem.code,
        "remedy": problem.remedy,
    }
    return JSONResponse(body, problem.status, media_type="application/problem+json")


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content: dict[str, Any] = {"application/problem+json": {}}
    return {
        status: {"description": "what to do instead", "content": content} for status in statuses
    }
