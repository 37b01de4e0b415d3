"""The services of Compose files as containers."""

from collections.abc import Iterator, Sequence

from mlwright.engineer.facts.configuration import Container, Document, DocumentKind


def composed(documents: Sequence[Document]) -> tuple[Container, ...]:
    """One container of kind ``compose`` for each service that names an image, a build, or what it extends.

    A service with none of these stands in an override file and shows only what it changes.
    """
    return tuple(one for each in documents if each.kind is DocumentKind.COMPOSE for one in _of_file(each))


def _of_file(document: Document) -> Iterator[Container]:
    services = document.get("services")
    for name in services if isinstance(services, dict) else ():
        spec = services[name]
        if isinstance(spec, dict) and ("image" in spec or "build" in spec):
            image = spec.get("image")
            yield Container(
                workload=name,
                kind="compose",
                name=name,
                image=image if isinstance(image, str) else "",
                spec=spec,
                pod=spec,
                at=document.at("services", name),
            )
