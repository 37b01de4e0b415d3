from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, event

from mlwright.errors import Conflict
from mlwright.model.endpoints import Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.stages.serving.store import current_route, list_routes, route_history, set_route
from mlwright.stages.serving.tables import metadata

AT = datetime(2013, 4, 1, tzinfo=UTC)
DELAY = EndpointName("delay")
CHAMPION = Variant(name="champion", model=ModelName("m"), version=1, share=1.0)


@pytest.fixture
def engine():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def halves(version: int) -> tuple[Variant, Variant]:
    return (
        Variant(name="champion", model=ModelName("m"), version=1, share=0.5),
        Variant(name="challenger", model=ModelName("m"), version=version, share=0.5, shadow=True),
    )


def test_nothing_there(engine: Engine) -> None:
    with engine.begin() as tx:
        assert current_route(tx, DELAY) is None
        assert list_routes(tx) == []
        assert route_history(tx, DELAY) == []


def test_generations_and_salt(engine: Engine) -> None:
    with engine.begin() as tx:
        first = set_route(tx, DELAY, [CHAMPION], at=AT)
        second = set_route(tx, DELAY, halves(2), at=AT + timedelta(days=1))
        third = set_route(tx, DELAY, halves(3), at=AT + timedelta(days=2), salt="rollout 7")
        fourth = set_route(tx, DELAY, [CHAMPION], at=AT + timedelta(days=3))
    assert [each.generation for each in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert first.salt == second.salt
    assert first.salt
    assert third.salt == fourth.salt == "rollout 7"
    with engine.begin() as tx:
        assert current_route(tx, DELAY) == fourth
        history = route_history(tx, DELAY)
    assert [at for at, _ in history] == [AT + timedelta(days=days) for days in range(4)]
    assert [each for _, each in history] == [first, second, third, fourth]


def test_endpoints_have_their_own(engine: Engine) -> None:
    with engine.begin() as tx:
        delay = set_route(tx, DELAY, [CHAMPION], at=AT)
        set_route(tx, EndpointName("churn"), [CHAMPION], at=AT)
        churn = set_route(tx, EndpointName("churn"), halves(2), at=AT)
        assert list_routes(tx) == [churn, delay]
        assert churn.salt != delay.salt


def test_shares_must_add_up(engine: Engine) -> None:
    with engine.begin() as tx, pytest.raises(ValueError, match="add up to"):
        set_route(tx, DELAY, halves(2)[:1], at=AT)
    with engine.begin() as tx:
        assert current_route(tx, DELAY) is None


def test_two_writers_at_once(engine: Engine) -> None:
    """Another process writes the generation between our look and our write."""
    done: list[bool] = []

    @event.listens_for(engine, "before_cursor_execute")
    def other_writer(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.startswith("INSERT") and not done:
            done.append(True)
            cursor.execute(statement, parameters)

    with engine.connect() as tx, pytest.raises(Conflict, match="at the same time") as caught:
        set_route(tx, DELAY, [CHAMPION], at=AT)
    assert "mlwright deploy delay" in str(caught.value)


def test_a_route_without_variants_takes_the_endpoint_out_of_service(engine: Engine) -> None:
    with engine.begin() as tx:
        first = set_route(tx, DELAY, [CHAMPION], at=AT)
        out = set_route(tx, DELAY, [], at=AT)
    with engine.begin() as tx:
        assert current_route(tx, DELAY) == out
    assert (out.generation, out.salt, out.variants) == (2, first.salt, ())
