"""Journeys of scoring without a server: files once, files as they appear, records of a stream."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlwright.errors import NotFound, Unsupported, UsageError
from mlwright.model.endpoints import CHAMPION, Route, Variant
from mlwright.model.ids import EndpointName
from mlwright.model.instants import to_micros
from mlwright.model.registry import Field, ModelVersion
from mlwright.model.settings import EndpointSettings, FallbackSettings
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney, named_version
from mlwright.stages.serving.batch.job import POLICIES, JobOptions, Scored
from mlwright.stages.serving.batch.running import BatchReport, Share, Tell, run, silent
from mlwright.stages.serving.batch.streaming import StreamOptions, StreamReport, consume
from mlwright.stages.serving.batch.watching import Came, WatchOptions, watch
from mlwright.stages.serving.batch.working import LookUps, OpenCore

__all__ = [
    "BatchReport",
    "Came",
    "JobOptions",
    "ScoreOptions",
    "ScoringJourney",
    "Share",
    "StreamOptions",
    "StreamReport",
    "Tell",
    "WatchOptions",
    "silent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """What answers, and how.

    ``invalid`` is ``reject``, ``impute`` or ``flag``; None: as the endpoint says. With ``log`` predictions are logged
    as those of the endpoint.
    """

    invalid: str | None = None
    log: bool = False
    job: JobOptions = field(default_factory=JobOptions)


class ScoringJourney:
    """The contract, models and answers of an endpoint, for rows that nobody sends to it."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def score(
        self, what: str, source: str, output: str, options: ScoreOptions | None = None, *, tell: Tell = silent
    ) -> BatchReport:
        """Score files, or go on where it was stopped.

        Args:
            what: an endpoint of the project; or ``name``, ``name/3`` or ``name@alias`` of a registered model; or an
                MLflow Model folder, which is registered unless a version has its files.
            source: a file, folder, glob or URL.
            output: a folder or a file, or their URL.
            options: how.
            tell: is told how far it is.

        Raises:
            NotFound: there is no such endpoint or model.
            DataError: the input cannot be read, or lacks what the model needs.
            Conflict: another job was begun there, or what it depends on has changed.
            ModelError: the model cannot be used.
            StorageError: the output cannot be written.
        """
        asked = options or ScoreOptions()
        return run(
            self._scored(what, asked),
            source,
            output,
            asked.job,
            open_core=self._opener,
            now=to_micros(self._parts.clock.now()),
            tell=tell,
        )

    def watch(
        self,
        what: str,
        folder: str,
        output: str,
        options: ScoreOptions | None = None,
        *,
        watched: WatchOptions | None = None,
        came: Callable[[Came], None] = lambda _: None,
    ) -> int:
        """Score each file that appears in a folder once, until it is told to stop; returns how many there were.

        Args:
            what: as in :meth:`score`; each file is scored by what stands behind it when it begins.
            folder: where files appear.
            output: the folder of the answers.
            options: how.
            watched: when a file is complete, and when to stop.
            came: is told of each file.

        Raises:
            NotFound: there is no such endpoint, model or folder.
            ModelError: the model cannot be used.
            StorageError: the output cannot be written.
        """
        asked = options or ScoreOptions()

        def score(path: str, to: str, restart: bool) -> BatchReport:
            job = replace(asked.job, restart=restart)
            return self.score(what, path, to, replace(asked, job=job))

        self._scored(what, asked)  # what cannot be found is said before the first file comes
        return watch(folder, output, score, watched or WatchOptions(), came)

    def consume(
        self,
        what: str,
        source: str,
        output: str,
        options: ScoreOptions | None = None,
        *,
        stream: StreamOptions | None = None,
    ) -> StreamReport:
        """Score records of a stream as they arrive, until it is told to stop.

        Args:
            what: as in :meth:`score`; a change of what stands behind it is followed.
            source: the URL of the stream (``redis://host:6379/name``).
            output: the URL of the stream of answers.
            options: how.
            stream: how records are taken, and when to stop.

        Raises:
            NotFound: there is no such endpoint or model.
            DataError: the stream cannot be read or written.
            ModelError: the model cannot be used.
            MissingExtra: the client of the stream is not installed.
        """
        asked, how = options or ScoreOptions(), stream or StreamOptions()
        if self._parts.open_stream is None:
            raise Unsupported("this process opens no streams", next_command="mlwright predict --help")
        scored = self._scored(what, asked)
        core = self._opener(scored, LookUps())
        records = self._parts.open_stream(source, output, how.group)
        try:
            return consume(records, core, scored, how, latest=lambda: self._scored(what, asked))
        finally:
            records.close()
            core.apply(replace(scored.route, variants=()))  # closes the models

    @property
    def _opener(self) -> OpenCore:
        opener = self._parts.open_core
        if opener is None:
            raise Unsupported("this process scores nothing", next_command="mlwright predict --help")
        return opener

    def _scored(self, what: str, options: ScoreOptions) -> Scored:
        spec = self._parts.settings.endpoint(what)
        if spec is not None:
            route = self._releases.status(what).route
            if route is None or not route.variants:
                raise NotFound(
                    f"nothing stands behind endpoint {what!r}", next_command=f"mlwright deploy {what}"
                )
            # Nobody gets what a shadow answers; only the log would.
            route = replace(route, variants=tuple(each for each in route.variants if each.share > 0))
        else:
            folder = Path(what)
            version = (
                self._releases.register(what, folder.resolve().name)
                if (folder / "MLmodel").is_file()
                else named_version(self._parts, self._releases, what)
            )
            spec = EndpointSettings(name=version.model, model=version.ref, keyed=False)
            alone = Variant(name=CHAMPION, model=version.model, version=version.version, share=1.0)
            route = Route(endpoint=EndpointName(spec.name), generation=0, salt="", variants=(alone,))
        versions = [self._releases.version(f"{each.model}/{each.version}") for each in route.variants]
        return Scored(
            spec=_asked(spec, options),
            route=route,
            digests={each.ref: str(each.digest) for each in versions},
            takes=_taken(versions),
            log=options.log,
        )


def _asked(spec: EndpointSettings, options: ScoreOptions) -> EndpointSettings:
    """The endpoint as asked for: its policy, and no fallback, for a batch can wait until the model is well."""
    edge = spec.serving.edge
    if options.invalid is not None:
        if options.invalid not in POLICIES:
            raise UsageError(
                f"{options.invalid!r} is no policy", where="--invalid", why=f"one of {', '.join(POLICIES)}"
            )
        edge = replace(edge, invalid=options.invalid)
    return replace(spec, serving=replace(spec.serving, edge=edge, fallback=FallbackSettings()))


def _taken(versions: Sequence[ModelVersion]) -> tuple[Field, ...]:
    fields: dict[str, Field] = {}
    for version in versions:
        for each in version.inputs:
            fields.setdefault(each.name, each)
    return tuple(fields.values())
