"""What an inference process answers: each call of each protocol, over one :class:`InferenceHost`."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias

from mlwright import __version__
from mlwright.doors.http.inference import feedback, metrics, oip, repository, surfaces
from mlwright.doors.http.inference.exchange import Reply, Request, Response
from mlwright.doors.http.inference.predicting import Way, answering
from mlwright.doors.http.inference.rendering import Complaints, as_json, fault, status_of
from mlwright.doors.http.inference.routing import Router, Target, refusing
from mlwright.doors.http.inference.surfaces import Look, Overview, Surface
from mlwright.doors.http.inference.versions import require_alone, require_standing
from mlwright.errors import MlwrightError, NotFound, Overloaded
from mlwright.stages.serving.batching import Batcher
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.spans import told

SMALL_BYTES: Final = 64 << 10
"""The bound of bodies that are no more than a few words."""
FEEDBACK_BYTES: Final = 64 << 20
"""The bound of a body of labels: a file of a million of them."""
_MOST_CHANGES: Final = 16

Named: TypeAlias = Mapping[str, str]
"""The parts of a path that a pattern names."""
Call: TypeAlias = Callable[[Request], Response]


class InferenceApp:
    """The table of calls, and a batcher an endpoint. Used on the thread of one event loop."""

    def __init__(self, host: InferenceHost) -> None:
        self._host = host
        self._router = Router()
        self._batchers = {name: Batcher(told(core, host.spans)) for name, core in host.cores.items()}
        self._changing = ThreadPoolExecutor(1, thread_name_prefix="mlwright-change")
        self._changes: set[asyncio.Task[None]] = set()
        self.complaints = Complaints()
        self.find = self._router.find
        self._add_predictions()
        self._add_looks()
        self._add_calls()

    async def drain(self) -> None:
        """Answer what was asked and refuse what comes later."""
        if self._changes:
            await asyncio.wait(self._changes, timeout=1.0)
        self._changing.shutdown(wait=False, cancel_futures=True)
        for batcher in self._batchers.values():
            await batcher.drain()

    # ------------------------------------------------------------------ the table

    def _add_predictions(self) -> None:
        names = tuple(self._host.cores)
        for surface in surfaces.SURFACES:
            if "{model}" not in surface.pattern:
                only = {"model": names[0]} if len(names) == 1 else {}
                self._router.add("POST", surface.pattern, self._predicting(surface, only))
                continue
            if "{version}" not in surface.pattern and "{label}" not in surface.pattern:
                for name in names:  # the hot ones are found at once
                    path = surface.pattern.replace("{model}", name)
                    self._router.add("POST", path, self._predicting(surface, {"model": name}))
            self._router.match("POST", surface.pattern, partial(self._predicting, surface))

    def _add_looks(self) -> None:
        for look in surfaces.LOOKS:
            self._router.match("GET", look.pattern, partial(self._looking, look))
        for overview in surfaces.OVERVIEWS:
            self._router.add("GET", overview.pattern, self._overlooking(overview))

    def _add_calls(self) -> None:
        gets: dict[str, Call] = {
            "/v2": self._about,
            "/v2/health/live": lambda _: as_json({"live": True}),
            "/v2/health/ready": self._ready,
            "/metrics": self._metrics,
        }
        for path, call in gets.items():
            self._router.add("GET", path, Target(_answering(call), SMALL_BYTES))
            if path != "/metrics":
                self._router.add("GET", path + "/", Target(_answering(call), SMALL_BYTES))
        for pattern in ("/v2/models/{model}/ready", "/v2/models/{model}/versions/{version}/ready"):
            self._router.match("GET", pattern, self._asking_ready)
        host = self._host
        self._router.add(
            "POST",
            "/v1/feedback",
            Target(lambda request, reply: feedback.handle(request, host, reply), FEEDBACK_BYTES),
        )
        self._router.add("POST", "/v1/refresh", Target(self._away(self._refresh), SMALL_BYTES))
        index = _answering(lambda request: repository.index(host, request.body))
        self._router.add("POST", "/v2/repository/index", Target(index, SMALL_BYTES))
        for verb in ("load", "unload"):
            self._router.match("POST", f"/v2/repository/models/{{model}}/{verb}", partial(self._change, verb))

    # ------------------------------------------------------------------ predictions

    def _predicting(self, surface: Surface, named: Named) -> Target:
        """The hot path of one endpoint under one protocol."""
        refuse = surface.fault or fault
        try:
            core = self._core(named)
        except MlwrightError as error:
            return refusing(refuse(error, status_of(error)))
        chosen = named.get("version") or named.get("label")
        way = Way(
            core=core,
            pattern=surface.pattern,
            parse=surface.parse,
            submit=self._batchers[core.spec.name].submit,
            refuse=refuse,
            complaints=self.complaints,
            check=partial(_standing, core, named, alone=True) if chosen is not None else None,
        )
        handler = answering(way, self._host.spans)
        return Target(handler, core.spec.serving.limits.body_bytes or FEEDBACK_BYTES)

    def _core(self, named: Named) -> EndpointCore:
        name = named.get("model")
        return self._host.core(surfaces.only(tuple(self._host.cores)) if name is None else name)

    # ------------------------------------------------------------------ looks

    def _looking(self, look: Look, named: Named) -> Target:
        def call(_: Request) -> Response:
            core = self._core(named)
            return look.answer(core, _standing(core, named))

        return self._unless_unknown(call, named)

    def _overlooking(self, overview: Overview) -> Target:
        return Target(_answering(lambda _: overview.answer(self._host)), SMALL_BYTES)

    def _asking_ready(self, named: Named) -> Target:
        def call(_: Request) -> Response:
            core = self._core(named)
            _standing(core, named)
            status = self._host.status(core.spec.name)
            answer: dict[str, object] = {"name": status.endpoint, "ready": status.ready}
            if not status.ready:
                answer.update(error=status.reason, serving=status.serving, next_command=status.next_command)
            return as_json(answer, 200 if status.ready else 503)

        return self._unless_unknown(call, named)

    def _unless_unknown(self, call: Call, named: Named) -> Target:
        try:
            self._core(named)
        except MlwrightError as error:
            return refusing(fault(error, status_of(error)))
        return Target(_answering(call), SMALL_BYTES)

    def _about(self, _: Request) -> Response:
        return as_json({"name": "mlwright", "version": __version__, "extensions": oip.EXTENSIONS})

    def _ready(self, _: Request) -> Response:
        return as_json({"ready": self._host.ready}, 200 if self._host.ready else 503)

    def _metrics(self, request: Request) -> Response:
        text, content_type = metrics.render(
            self._host.cores, request.headers.get("accept", ""), self._host.log
        )
        return Response(text.encode(), 200, content_type)

    # ------------------------------------------------------------------ what blocks

    def _refresh(self, _: Request) -> Response:
        return as_json({"generations": self._host.refresh()})

    def _change(self, verb: repository.Verb, named: Named) -> Target:
        name = named["model"]
        work = self._away(lambda request: repository.changed(self._host, name, verb, request.body))
        if name in self._host.cores:
            return Target(work, SMALL_BYTES)
        return self._unless_unknown(lambda _: as_json({}), named)

    def _away(self, call: Call) -> Callable[[Request, Reply], None]:
        """Do it in the one thread that changes routes, never on the loop."""

        async def work(request: Request, reply: Reply) -> None:
            try:
                loop = asyncio.get_running_loop()
                response = await loop.run_in_executor(self._changing, call, request)
            except MlwrightError as error:
                response = fault(error, status_of(error))
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the client gets an answer
                response = self.complaints.answer(error, f"{request.method} {request.path}")
            reply(response)

        def answer(request: Request, reply: Reply) -> None:
            if len(self._changes) >= _MOST_CHANGES:
                raise Overloaded(f"{_MOST_CHANGES} changes of routes wait already")
            task = asyncio.get_running_loop().create_task(work(request, reply))
            self._changes.add(task)
            task.add_done_callback(self._changes.discard)

        return answer


def _answering(call: Call) -> Callable[[Request, Reply], None]:
    def answer(request: Request, reply: Reply) -> None:
        reply(call(request))

    return answer


def _standing(core: EndpointCore, named: Named, *, alone: bool = False) -> str | None:
    """The version that a path names, by its number or by the name of its variant; it must stand behind the endpoint.

    With ``alone`` it must be the only one: during a rollout the route decides who answers, not the client.

    Raises:
        NotFound: it does not stand there.
        BadRequest: others do as well.
    """
    version, label = named.get("version"), named.get("label")
    if label is not None:
        route = core.route
        labels = {each.name: str(each.version) for each in route.variants} if route else {}
        if label not in labels:
            raise NotFound.named(f"variant behind {core.spec.name!r}", label, labels)
        version = labels[label]
    elif version is not None:
        require_standing(core, version)
    else:
        return None
    if alone:
        require_alone(core, f"POST /v2/models/{core.spec.name}/infer")
    return version
