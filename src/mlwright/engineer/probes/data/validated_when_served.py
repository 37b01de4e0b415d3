"""Is what the service is asked held against a schema?"""

from mlwright.engineer.facts.code import Class, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import imported, serving_files
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity

_CHECKERS = (
    "marshmallow", "jsonschema", "pandera", "cerberus", "voluptuous", "msgspec", "cattrs", "wtforms",
    "flask_wtf", "flask_restx", "flask_restful.reqparse", "webargs", "connexion", "apiflask", "spectree",
    "flask_pydantic", "strawberry", "graphene",
    "rest_framework", "ninja", "great_expectations", "fastjsonschema", "attrs", "dataclasses_json",
    "mlserver", "grpc",
)  # fmt: skip
_RAW = (
    "*request.get_json",
    "flask.request.form.values",
    "flask.request.form.to_dict",
    "*request.json",
    "*req.json",
)
_REFUSALS = frozenset(
    ("abort", "httpexception", "badrequest", "valueerror", "keyerror", "422", "400", "is_valid")
)


def look(repository: Repository) -> Answer:
    """Look for a library that checks requests next to the routes; a body taken raw without any refusal is a fault."""
    files = serving_files(repository)
    models = [each for each in repository.production if _declares(each)]
    checked = [file.at(place) for file in files if (place := file.imports_any(*_CHECKERS)) is not None]
    checked += [file.at(_declares(file)[0]) for file in files if _declares(file)]
    if checked:
        return yes("requests are read by what checks them", *checked[:SHOWN], places=len(checked))
    served_by = imported(files, models)
    used = [each for each in models if each.path in served_by]
    if used:
        return yes(
            "request bodies are declared in a file of their own",
            *[each.at(_declares(each)[0]) for each in used][:SHOWN],
        )
    endpoints = [
        each for each in repository.documents if each.path.endswith("mlwright.toml") and each.get("endpoint")
    ]
    if endpoints:
        return yes(
            "an endpoint of mlwright checks each request against the model's signature",
            endpoints[0].at("endpoint"),
        )
    served = {each.path for each in files}
    raw = [(file, call) for file, call in repository.calls(*_RAW) if file.path in served]
    open_ones = [
        file.at(call)
        for file, call in raw
        if _asks(file) and _REFUSALS.isdisjoint(file.words) and all(each.silent for each in file.handlers)
    ]
    if open_ones:
        return no(
            f"{counted(len(open_ones), 'request body', 'request bodies')} read as it comes; no schema and no refusal",
            *open_ones[:SHOWN],
            bodies=len(open_ones),
        )
    if raw:
        return unknown(
            "requests are read raw and the code refuses some by hand; a declared schema would tell which",
            *(file.at(call) for file, call in raw[:SHOWN]),
        )
    return unknown("no handler was seen that reads a request body in Python")


def _declares(file: PythonFile) -> tuple[Class, ...]:
    """The pydantic or msgspec models of a file; settings of the program are none of a request."""
    return tuple(
        each
        for each in file.classes
        if each.fields
        and any(base in ("pydantic.BaseModel", "msgspec.Struct", "sqlmodel.SQLModel") for base in each.bases)
        and not each.name.endswith(("Settings", "Config"))
    )


def _asks(file: PythonFile) -> bool:
    """Whether a file asks the model itself: what it hands on may be checked where it arrives."""
    return any(call.method.startswith("predict") and call.receiver for call in file.calls)


PROBE = Probe(
    id="data.validated_when_served",
    title="what the service is asked is validated against a schema",
    why="A model answers nonsense with a confident number: only a schema says that the question was wrong.",
    remedy="declare the body as a pydantic model with types and ranges, and let the framework answer 422",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Monitoring 2",
)
