"""Documents by kind, templates, and that no bytes ever raise."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.engineer.collect.documents import filled, large_dashboard, read_documents
from mlwright.engineer.facts.configuration import DocumentKind as Kind


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("k8s/a.yaml", "apiVersion: v1\nkind: Pod\n", Kind.KUBERNETES),
        ("chart/Chart.yaml", "apiVersion: v2\nname: x\n", Kind.HELM_CHART),
        ("chart/values-prod.yaml", "replicas: 2\n", Kind.HELM_VALUES),
        ("docker-compose.override.yml", "services: {a: {ports: []}}\n", Kind.COMPOSE),
        ("stack.yml", "services: {db: {image: postgres}}\n", Kind.COMPOSE),
        ("services.yml", "services: {a: {class: Foo}}\n", Kind.OTHER),
        (".github/workflows/ci.yml", "on: push\njobs: {}\n", Kind.WORKFLOW),
        (".github/dependabot.yml", "version: 2\n", Kind.DEPENDABOT),
        ("rules.yml", "groups: [{rules: [{alert: A, expr: up}]}]\n", Kind.PROMETHEUS),
        ("prometheus.yml", "scrape_configs: []\n", Kind.PROMETHEUS),
        ("am.yml", "route: {receiver: a}\nreceivers: [{name: a}]\n", Kind.ALERTMANAGER),
        ("board.json", json.dumps({"panels": [], "schemaVersion": 39}), Kind.GRAFANA),
        ("template.yaml", "Resources: {B: {Type: 'AWS::S3::Bucket'}}\n", Kind.CLOUDFORMATION),
        ("c.odcs.yaml", "apiVersion: v3.1.0\nkind: DataContract\n", Kind.CONTRACT),
        ("models/schema.yml", "version: 2\nmodels: [{name: a, columns: []}]\n", Kind.DBT),
        ("data/x.csv.dvc", "outs: [{md5: a}]\n", Kind.DVC),
        ("MLproject", "name: x\n", Kind.ML_PROJECT),
        ("params.yaml", "train: {seed: 1}\n", Kind.OTHER),
        ("pyproject.toml", "[project]\nname='x'\n", Kind.PYPROJECT),
    ],
)
def test_a_document_is_told_by_name_and_content(path: str, text: str, kind: Kind) -> None:
    (document,) = read_documents(path, text.encode()).documents
    assert document.kind is kind


def test_a_lock_file_of_another_ecosystem_is_no_document() -> None:
    assert read_documents("web/package-lock.json", b"{}").documents == ()


TEMPLATE = """\
{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "x.name" . }}
  labels:
    {{- include "x.labels" . | nindent 4 }}
spec:
  template:
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image }}:{{ .Values.tag }}"
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- $x := .Values.y }}
          {{- if .Values.z }}{{ toYaml .Values.z | nindent 10 }}{{ end }}
{{- end }}
"""


def test_a_helm_template_is_read_with_placeholders_at_its_own_lines() -> None:
    read = read_documents("chart/templates/deployment.yaml", TEMPLATE.encode(), chart=True)
    (document,) = read.documents
    assert read.templated
    assert document.kind is Kind.KUBERNETES
    container = document.get("spec", "template", "spec", "containers", 0)
    assert container["resources"] == {"__template__": "__template__"}  # not known, which is not nothing
    assert document.at("spec", "template", "spec", "containers", 0, "image").line == 13
    assert filled(TEMPLATE).count("\n") == TEMPLATE.count("\n")


def test_a_template_outside_of_a_chart_makes_no_claim() -> None:
    assert read_documents("{{cookiecutter.x}}/config.yml", b"name: {{ cookiecutter.x }}\n").documents == ()


def test_a_file_over_a_megabyte_or_of_broken_utf8_is_noted() -> None:
    assert "larger" in read_documents("a.yaml", b"a: 1\n" * 300_000).note
    assert "UTF-8" in read_documents("a.yaml", b"a: \xff\xfe\n").note


def test_json_data_is_not_kept() -> None:
    assert read_documents("d.json", json.dumps(list(range(100_000))).encode()).documents == ()


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["a.yaml", "a.json", "a.toml", "MLproject", "t/templates/a.yaml"]),
)
def test_no_bytes_raise(raw: bytes, path: str) -> None:
    read = read_documents(path, raw, chart="templates" in path)
    assert read.documents == () or read.note == ""


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("{}%-ab:\n \"'|&*"), max_size=80))
def test_no_template_raises(text: str) -> None:
    read_documents("c/templates/a.yaml", text.encode(), chart=True)
    assert filled(text).count("\n") == text.count("\n")


def test_a_large_dashboard_is_known_to_be_one() -> None:
    board = b'{"panels": [{"gridPos": {}}]' + b" " * 2_000_000
    found = large_dashboard("boards/a.json", board)
    assert found is not None
    assert found.kind is Kind.GRAFANA
    assert large_dashboard("data.json", b'{"rows": []' + b" " * 100) is None
