"""The shape of ``tracking`` in ``mlwright.toml``: the server that runs are sent to."""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema


def _token(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(env|file):\S.*", value):
        # The text may be the token itself: it is not repeated.
        raise ValueError(
            "must say where the token is, not what it is: write 'env:MLFLOW_TOKEN' or 'file:PATH'"
        )
    return value


class TrackingTable(BaseModel):
    """An MLflow or Databricks server that the runs of the project's pipelines are sent to, besides being kept here."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    uri: Annotated[
        str,
        Field(min_length=1, description="https://…; env:NAME or file:PATH if user and password are in it."),
    ]
    token: Annotated[
        Annotated[str, BeforeValidator(_token)] | None,
        Field(description="env:NAME or file:PATH of a bearer token, as Databricks takes it."),
    ] = None
    experiment: Annotated[
        str | None,
        Field(
            min_length=1, description="Its name there; default: the project's. Databricks: /Users/ME/NAME."
        ),
    ] = None


def _short(value: object) -> object:
    return {"uri": value} if isinstance(value, str) else value


Tracking = Annotated[
    TrackingTable,
    BeforeValidator(_short),
    WithJsonSchema(
        {
            "description": "A server, as its address alone or as a table.",
            "anyOf": [
                {"type": "string", "minLength": 1, "examples": ["https://mlflow.example.org"]},
                TrackingTable.model_json_schema(),
            ],
        }
    ),
]
