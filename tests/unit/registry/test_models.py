"""Models and versions as clients of the MLflow protocol make, rename and delete them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from mlwright.errors import AlreadyExists, ModelLoadFailed, NotFound, UsageError
from mlwright.model.ids import Digest, ModelName
from mlwright.model.registry import IS_PROMPT, Field, Signature, VersionStage
from mlwright.stages.registry import models, store, versions
from mlwright.stages.registry.evidence_tables import proofs
from mlwright.stages.registry.names import (
    check_alias,
    check_model_name,
    check_tag,
    parse_stage,
    parse_version,
)
from mlwright.stages.registry.tables import metadata

AT = datetime(2013, 4, 1, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
CHURN = ModelName("churn")
SIGNATURE = Signature(inputs=(Field(name="age", type="long"),), outputs=())


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        tx.exec_driver_sql("PRAGMA foreign_keys=ON")
        yield tx
    engine.dispose()


def add(tx, model=CHURN, source="s3://bucket/model", **given):
    return versions.add_version(tx, versions.NewVersion(model=model, source=source, **given), AT)


def test_a_model_has_what_it_was_made_with(tx):
    made = models.create_model(tx, CHURN, at=AT, description="who leaves", tags={"team": "a"})
    assert made == models.get_model(tx, CHURN)
    assert (made.description, made.tags, made.aliases, made.is_prompt) == (
        "who leaves",
        {"team": "a"},
        {},
        False,
    )
    assert (made.created, made.updated) == (AT, AT)
    assert models.describe_model(tx, CHURN, "", LATER).updated == LATER


def test_a_name_is_given_once_to_a_model_or_a_prompt(tx):
    models.create_model(tx, CHURN, at=AT)
    with pytest.raises(AlreadyExists, match=r"Registered Model \(name=churn\) already exists"):
        models.create_model(tx, CHURN, at=AT)
    with pytest.raises(AlreadyExists, match="Tried to create a prompt with name 'churn'"):
        models.create_model(tx, CHURN, at=AT, tags={IS_PROMPT: "true"})


def test_one_address_again_is_another_version_and_one_folder_is_not(tx):
    models.create_model(tx, CHURN, at=AT)
    assert [add(tx).version, add(tx).version] == [1, 2]
    given = {"run": None, "at": AT, "signature": SIGNATURE, "flavor": "sklearn"}
    first = store.create_version(tx, CHURN, Digest("blake3:a"), **given)
    assert store.create_version(tx, CHURN, Digest("blake3:a"), **given) == first
    assert first.version == 3


def test_a_version_that_lies_elsewhere_is_listed_and_not_loaded(tx):
    models.create_model(tx, CHURN, at=AT)
    found = add(tx)
    assert store.list_versions(tx, CHURN) == [found]
    assert store.resolve(tx, "churn") == found
    assert (found.inputs, found.outputs, found.digest) == ((), (), None)
    with pytest.raises(ModelLoadFailed, match="s3://bucket/model") as caught:
        found.stored()
    assert caught.value.next_command == "mlwright models prove churn/1"
    proved = versions.attach_folder(tx, CHURN, 1, Digest("blake3:a"), signature=SIGNATURE, flavor="sklearn")
    assert proved.stored() == ("blake3:a", "sklearn")
    assert proved.inputs == SIGNATURE.inputs


def test_a_renamed_model_keeps_everything(tx):
    models.create_model(tx, CHURN, at=AT, tags={"a": "b"})
    add(tx, tags={"k": "v"})
    add(tx)
    store.set_alias(tx, CHURN, "champion", 1)
    tx.execute(proofs.insert().values(model=CHURN, version=1, state="queued", asked_at=0))
    renamed = models.rename_model(tx, CHURN, ModelName("leaving"), LATER)
    assert (renamed.tags, renamed.aliases, renamed.created, renamed.updated) == (
        {"a": "b"},
        {"champion": 1},
        AT,
        LATER,
    )
    found = store.resolve(tx, "leaving@champion")
    assert (found.ref, found.tags, found.source) == ("leaving/1", {"k": "v"}, "s3://bucket/model")
    assert tx.execute(select(proofs.c.model)).scalars().all() == ["leaving"]
    with pytest.raises(NotFound):
        models.get_model(tx, CHURN)
    assert add(tx, ModelName("leaving")).version == 3


def test_a_taken_name_is_not_given_by_renaming(tx):
    models.create_model(tx, CHURN, at=AT)
    models.create_model(tx, ModelName("other"), at=AT)
    with pytest.raises(AlreadyExists):
        models.rename_model(tx, CHURN, ModelName("other"), AT)
    with pytest.raises(UsageError):
        models.rename_model(tx, CHURN, ModelName("a/b"), AT)


def test_a_deleted_version_takes_its_aliases_and_not_its_number(tx):
    models.create_model(tx, CHURN, at=AT)
    for _ in range(2):
        add(tx)
    store.set_alias(tx, CHURN, "champion", 2)
    assert versions.delete_version(tx, CHURN, 2, LATER).aliases == ("champion",)
    assert models.get_model(tx, CHURN).aliases == {}
    assert store.resolve(tx, "churn").version == 1
    assert add(tx).version == 3
    with pytest.raises(NotFound, match="no version 2; the newest is 3"):
        versions.delete_version(tx, CHURN, 2, LATER)


def test_a_deleted_model_begins_anew(tx):
    models.create_model(tx, CHURN, at=AT, tags={"a": "b"})
    add(tx, tags={"k": "v"})
    store.set_alias(tx, CHURN, "champion", 1)
    models.delete_model(tx, CHURN)
    assert store.list_models(tx) == []
    assert models.create_model(tx, CHURN, at=AT).tags == {}
    assert (add(tx).version, add(tx).aliases) == (1, ())


def test_stages_move_and_archive(tx):
    models.create_model(tx, CHURN, at=AT)
    for _ in range(3):
        add(tx)
    versions.move_stage(tx, CHURN, 1, VersionStage.PRODUCTION, archive=False, at=LATER)
    moved, before, archived = versions.move_stage(
        tx, CHURN, 2, VersionStage.PRODUCTION, archive=True, at=LATER
    )
    assert (moved.stage, before, archived) == ("Production", "None", (1,))
    newest = versions.latest_versions(tx, [CHURN])[CHURN]
    assert {each.stage: each.version for each in newest} == {"Archived": 1, "Production": 2, "None": 3}
    staged = versions.latest_versions(tx, [CHURN], [VersionStage.PRODUCTION])[CHURN]
    assert [each.version for each in staged] == [2]
    with pytest.raises(UsageError, match="not an Active stage"):
        versions.move_stage(tx, CHURN, 2, VersionStage.ARCHIVED, archive=True, at=LATER)


def test_the_newest_version_has_an_alias_that_nobody_sets(tx):
    models.create_model(tx, CHURN, at=AT)
    with pytest.raises(NotFound, match="Latest version not found"):
        versions.version_by_alias(tx, CHURN, "latest")
    for _ in range(2):
        add(tx)
    assert versions.version_by_alias(tx, CHURN, "Latest").version == 2
    assert store.resolve(tx, "churn@latest").version == 2
    with pytest.raises(UsageError, match="alias champion not found"):
        versions.version_by_alias(tx, CHURN, "champion")


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V22", "", "a b", "a.b", "a/b", "x" * 256])
def test_aliases_that_clients_cannot_use_are_refused(alias):
    with pytest.raises(UsageError):
        check_alias(alias)


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b", "a@b", ".", "..", "a ", "x" * 257])
def test_names_that_are_no_names_are_refused(name):
    with pytest.raises(UsageError):
        check_model_name(name)


@pytest.mark.parametrize(
    ("key", "value"), [("a*", ""), ("../a", ""), ("/a", ""), ("a" * 251, ""), ("a", "x" * 100_001)]
)
def test_tags_that_are_none_are_refused(key, value):
    with pytest.raises(UsageError):
        check_tag(key, value)


def test_a_number_is_read_and_nothing_else():
    assert parse_version("7") == 7
    assert parse_version("9" * 40) == 0
    with pytest.raises(UsageError, match="must be an integer, got 'x'"):
        parse_version("x")
    assert parse_stage("pRoduction") is VersionStage.PRODUCTION
    with pytest.raises(UsageError, match="None, Staging, Production, Archived"):
        parse_stage("x")


@settings(max_examples=40)
@given(st.text(max_size=20))
def test_a_name_that_is_allowed_is_found_again(name):
    try:
        check_model_name(name)
    except UsageError:
        return
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        models.create_model(tx, ModelName(name), at=AT)
        add(tx, ModelName(name))
        assert store.resolve(tx, f"{name}/1").model == name
    engine.dispose()
