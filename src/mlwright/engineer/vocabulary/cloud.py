"""Types of cloud resources, as Terraform, CloudFormation and Pulumi call them, by what they are."""

from collections.abc import Iterable
from typing import Final

from mlwright.engineer.facts.configuration import CloudResource, Plain
from mlwright.engineer.facts.repository import Repository

BUCKETS: Final = (
    "aws_s3_bucket",
    "AWS::S3::Bucket",
    "aws:s3:Bucket",
    "aws:s3:BucketV2",
    "google_storage_bucket",
)
DATABASES: Final = (
    "aws_db_instance",
    "aws_rds_cluster",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBCluster",
    "google_sql_database_instance",
)
INSTANCES: Final = (
    "aws_instance",
    "AWS::EC2::Instance",
    "google_compute_instance",
    "azurerm_linux_virtual_machine",
    "aws_sagemaker_endpoint_configuration",
    "AWS::SageMaker::EndpointConfig",
    "aws_sagemaker_notebook_instance",
    "AWS::SageMaker::NotebookInstance",
    "google_notebooks_instance",
    "google_workbench_instance",
    *DATABASES,
    *BUCKETS,
)
"""Resources that cost money each month and can carry tags."""


def of_types(repository: Repository, types: Iterable[str]) -> tuple[CloudResource, ...]:
    """The resources of these types."""
    wanted = frozenset(types)
    return tuple(each for each in repository.resources if each.type in wanted)


def prop(resource: CloudResource, *keys: str) -> Plain:
    """The first of these properties that a resource has, also one level down; None without.

    Terraform blocks arrive as a list of one mapping, which counts as that mapping.
    """
    return _find(resource.properties, keys, depth=2)


def _find(tree: Plain, keys: tuple[str, ...], depth: int) -> Plain:
    if isinstance(tree, list) and len(tree) == 1:
        tree = tree[0]
    if not isinstance(tree, dict):
        return None
    for key in keys:
        if key in tree:
            return tree[key]
    if depth > 1:
        for value in tree.values():
            found = _find(value, keys, depth - 1)
            if found is not None:
                return found
    return None


def text(value: Plain) -> str:
    """A property as plain text: quotes that a reader of Terraform left on are taken off."""
    return str(value).strip().strip('"')


def truth(value: Plain) -> bool | None:
    """A property as yes or no; None where it is a reference that only the cloud resolves."""
    said = text(value).lower()
    return True if said == "true" else False if said == "false" else None
