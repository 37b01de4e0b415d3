"""Cloud resources declared in Terraform, CloudFormation and Pulumi YAML."""

import re
from collections.abc import Iterator, Sequence

from mlwright.engineer.collect.hcl import Block, blocks_of
from mlwright.engineer.collect.trees import Unreadable
from mlwright.engineer.facts.configuration import CloudResource, Document, DocumentKind, Plain
from mlwright.model.findings import Location

LARGEST = 300_000
TOTAL = 3_000_000
_HEADER = re.compile(r"^(resource|data)\s+\"([\w-]{1,100})\"\s+\"([\w-]{1,200})\"\s*\{", re.MULTILINE)


def terraform(path: str, text: str) -> tuple[tuple[CloudResource, ...], str]:
    """The resources of a .tf file, and why they were read in part, "" where they were not.

    Data sources have the type ``data.aws_ami``; backends, providers, variables, modules, locals and the versions of
    providers ``terraform.backend`` and so on. Properties are plain trees in which a nested block is a list of mappings
    and an expression its text in ``${…}``. Of a file that is no HCL, only the headers are found, with ``properties``
    None.
    """
    try:
        blocks = blocks_of(text)
    except Unreadable as error:
        return tuple(_headers(path, text)), str(error)
    return tuple(one for block in blocks for one in _of_block(path, block)), ""


def _headers(path: str, text: str) -> Iterator[CloudResource]:
    for found in _HEADER.finditer(text):
        kind = found.group(2) if found.group(1) == "resource" else f"data.{found.group(2)}"
        line = text.count("\n", 0, found.start()) + 1
        yield _resource("terraform", kind, found.group(3), None, Location(path=path, line=line))


def _of_block(path: str, block: Block) -> Iterator[CloudResource]:
    at = Location(path=path, line=block.line)
    labels = (*block.labels, "", "")
    if block.type in {"resource", "data"} and len(block.labels) == 2:
        yield _resource(
            "terraform", ("data." if block.type == "data" else "") + labels[0], labels[1], block.body, at
        )
    elif block.type in {"variable", "module", "provider", "output"}:
        yield _resource("terraform", f"terraform.{block.type}", labels[0], block.body, at)
    elif block.type == "locals":
        yield _resource("terraform", "terraform.locals", "", block.body, at)
    elif block.type == "terraform":
        yield _resource("terraform", "terraform.settings", "", block.body, at)
        backends = block.body.get("backend")
        for each in backends if isinstance(backends, list) else ():
            for name, body in each.items() if isinstance(each, dict) else ():
                yield _resource("terraform", "terraform.backend", name, body, at)
        if "cloud" in block.body:
            yield _resource("terraform", "terraform.backend", "cloud", block.body["cloud"], at)


def _resource(tool: str, kind: str, name: str, properties: Plain, at: Location) -> CloudResource:
    return CloudResource(tool=tool, type=kind, name=name, properties=properties, at=at)


def resources_of(documents: Sequence[Document]) -> tuple[CloudResource, ...]:
    """The resources of CloudFormation (also SAM) templates and of Pulumi YAML programs.

    Functions of CloudFormation stand in their long form (``{"Ref": "Bucket"}``).
    """
    found: list[CloudResource] = []
    for document in documents:
        if document.kind is DocumentKind.CLOUDFORMATION:
            found += _declared(document, "cloudformation", "Resources", "Type", "Properties")
        elif document.kind is DocumentKind.PULUMI:
            found += _declared(document, "pulumi", "resources", "type", "properties")
    return tuple(found)


def _declared(
    document: Document, tool: str, above: str, kind: str, properties: str
) -> Iterator[CloudResource]:
    resources = document.get(above)
    for name, body in resources.items() if isinstance(resources, dict) else ():
        if isinstance(body, dict) and isinstance(body.get(kind), str):
            held = body.get(properties)
            extra = {
                key: body[key] for key in ("DeletionPolicy", "UpdateReplacePolicy", "options") if key in body
            }
            tree = {**held, **extra} if isinstance(held, dict) else extra
            yield _resource(tool, body[kind], name, tree, document.at(above, name))
