"""Terraform, CloudFormation and Pulumi as resources; our reader of HCL against python-hcl2."""

import time
from collections.abc import Callable, Mapping

import hcl2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engineer.collect.gits import ascii_start

from mlwright.engineer.collect.cloud import terraform
from mlwright.engineer.collect.configuration import Configuration
from mlwright.engineer.collect.hcl import blocks_of
from mlwright.engineer.collect.trees import Unreadable

Read = Callable[[Mapping[str, str | bytes]], Configuration]

WORDS = ['"x"', "${", "<<E\n", "for", "jsonencode", "E\n"]
TEXT = """\
terraform {
  required_version = ">= 1.5"
  backend "s3" {
    bucket = "state"
  }
}
# a comment
resource "aws_s3_bucket" "data" {
  bucket = "data-${var.name}"
  count  = 3
  force  = true
  versioning {
    enabled = true
  }
  tags = { team = "ml", "cost" = var.cost }
  list = ["a", 1, -2.5, null]
  sum  = 1 + 2
  ids  = [for each in var.all : each.id]
}
data "aws_ami" "x" {
  owners = ["self"]
}
variable "name" { default = "y" }
"""


def test_a_file_of_terraform() -> None:
    found, why = terraform("main.tf", TEXT)
    assert why == ""
    assert [(each.type, each.name, each.at.line) for each in found] == [
        ("terraform.settings", "", 1),
        ("terraform.backend", "s3", 1),
        ("aws_s3_bucket", "data", 8),
        ("data.aws_ami", "x", 20),
        ("terraform.variable", "name", 23),
    ]
    assert found[2].properties == {
        "bucket": "data-${var.name}",
        "count": 3,
        "force": True,
        "versioning": [{"enabled": True}],
        "tags": {"team": "ml", "cost": "${var.cost}"},
        "list": ["a", 1, -2.5, None],
        "sum": "${1 + 2}",
        "ids": "${[for each in var.all : each.id]}",
    }


def test_the_same_structure_as_python_hcl2_finds() -> None:
    options = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)
    theirs = hcl2.loads(TEXT, serialization_options=options)
    ours = next(each for each in blocks_of(TEXT) if each.labels == ("aws_s3_bucket", "data")).body
    other = theirs["resource"][0]["aws_s3_bucket"]["data"]
    same = ("bucket", "count", "force", "versioning", "tags", "sum")
    assert {key: ours[key] for key in same} == {key: other[key] for key in same}
    assert set(ours) == set(other)


def test_policies_become_trees() -> None:
    one = 'one = jsonencode({ Statement = [{ Action = "*" }] })'
    text = f'resource "p" "a" {{\n  {one}\n  two = <<-EOF\n    {{"A": ["*"]}}\n  EOF\n}}\n'
    (found,), _ = terraform("a.tf", text)
    assert found.properties == {"one": {"Statement": [{"Action": "*"}]}, "two": {"A": ["*"]}}


def test_of_a_broken_file_the_headers_are_known() -> None:
    found, why = terraform("a.tf", 'resource "aws_db_instance" "x" {\n  a = [\n}\n')
    assert [(each.type, each.properties) for each in found] == [("aws_db_instance", None)]
    assert why


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a {" * 50_000,
        'a = "' + '${"' * 50_000,
        "a = <<E\n" * 30_000,
        "/*" * 100_000,
        "a = (",
    ],
    ids=ascii_start,
)
def test_hostile_hcl_is_unreadable_and_soon(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(Unreadable):
        blocks_of(text)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, *'a"{}[]()=,:\n <-1$#']), max_size=30))
def test_no_text_raises(parts: list[str]) -> None:
    terraform("a.tf", "".join(parts))


def test_cloudformation_and_pulumi(read: Read) -> None:
    found = read(
        {
            "t.yaml": "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n    Properties:\n"
            "      Name: !Sub '${X}-b'\n",
            "Pulumi.yaml": "name: p\nruntime: yaml\nresources:\n  b:\n    type: aws:s3:Bucket\n"
            "    properties: {acl: private}\n",
        }
    )
    assert [(each.tool, each.type, each.name, each.properties, str(each.at)) for each in found.resources] == [
        ("pulumi", "aws:s3:Bucket", "b", {"acl": "private"}, "Pulumi.yaml:4"),
        (
            "cloudformation",
            "AWS::S3::Bucket",
            "B",
            {"Name": {"Fn::Sub": "${X}-b"}, "DeletionPolicy": "Retain"},
            "t.yaml:2",
        ),
    ]
