from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.errors import DataError
from mlwright.model.features import FeatureView
from mlwright.model.instants import from_micros, to_micros
from mlwright.stages.features.join import point_in_time
from mlwright.stages.features.materialize import to_feature_rows
from mlwright.testing.fakes.online_store import MemoryOnlineStore

START = datetime(1969, 12, 31, 23, tzinfo=UTC)
Record = tuple[int | None, str | None, datetime, datetime | None, float | None]

keys = st.sampled_from([(1, "JFK"), (1, "JFK"), (2, "JFK"), (1, "EWR"), (1, None), (None, "JFK")])
moments = st.integers(0, 9).map(lambda minutes: START + timedelta(minutes=10 * minutes))
winds = st.none() | st.integers(0, 99).map(float)
records = st.tuples(keys, moments, st.none() | moments, winds).map(lambda drawn: (*drawn[0], *drawn[1:]))
questions = st.lists(st.tuples(keys, moments).map(lambda drawn: (*drawn[0], drawn[1])), max_size=12)
ttls = st.integers(0, 6).map(lambda tens: timedelta(minutes=10 * tens))
histories = st.lists(records, max_size=25, unique_by=lambda record: record[:4])
observations = st.lists(records, max_size=25, unique_by=lambda record: record[:3])


def view(ttl: timedelta, *, created: bool) -> FeatureView:
    return FeatureView(
        name="weather",
        dataset="weather",
        entity=("gate", "origin"),
        timestamp="seen",
        features=("wind",),
        ttl=ttl,
        created="created" if created else None,
    )


def values(held: list[Record]) -> pl.DataFrame:
    aware = pl.Datetime("us", "UTC")
    names = {"gate": pl.Int32, "origin": pl.String, "seen": aware, "created": aware, "wind": pl.Float64}
    return pl.DataFrame(held, schema=names, orient="row")


def rows(asked: list[tuple]) -> pl.DataFrame:
    schema = {"gate": pl.Int64, "origin": pl.String, "at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(asked, schema=schema, orient="row")


def naive(asked: list[tuple], held: list[Record], ttl: timedelta, *, created: bool) -> list[float | None]:
    """Every question against every value, as the rules are worded."""
    answers = []
    for gate, origin, at in asked:
        best, answer = None, None
        for value_gate, value_origin, seen, made, wind in held:
            if None in (gate, origin) or (gate, origin) != (value_gate, value_origin):
                continue
            if seen > at or (created and made is not None and made > at):
                continue
            place = (seen, made is not None, made or seen) if created else (seen,)
            if best is None or place > best:
                best, answer = place, wind
        answers.append(answer if best is not None and best[0] >= at - ttl else None)
    return answers


@given(asked=questions, held=histories, ttl=ttls)
@settings(max_examples=80)
def test_as_known_join_equals_the_naive_one(asked: list, held: list, ttl: timedelta) -> None:
    joined = point_in_time(rows(asked), view(ttl, created=True), values(held), at="at")
    assert joined["wind"].to_list() == naive(asked, held, ttl, created=True)
    assert joined.drop("wind").equals(rows(asked))


@given(asked=questions, held=observations, ttl=ttls, shuffled=st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_plain_join_equals_the_naive_one_in_any_order(
    asked: list, held: list, ttl: timedelta, shuffled
) -> None:
    of = view(ttl, created=False)
    expected = naive(asked, held, ttl, created=False)
    assert point_in_time(rows(asked), of, values(held), at="at")["wind"].to_list() == expected
    shuffled.shuffle(held)
    assert point_in_time(rows(asked), of, values(held), at="at")["wind"].to_list() == expected


@given(asked=questions, held=observations, ttl=ttls)
@settings(max_examples=40)
def test_online_answers_what_the_join_does(asked: list, held: list, ttl: timedelta) -> None:
    of, frame = view(ttl, created=False), values(held)
    store = MemoryOnlineStore()
    store.write(of, to_feature_rows(of, frame))
    keys = [(str(gate), str(origin)) for gate, origin, _ in asked]
    online = store.read(of, keys, [to_micros(at) for _, _, at in asked])
    assert online["wind"] == point_in_time(rows(asked), of, frame, at="at")["wind"].to_list()


@given(asked=questions, held=histories, ttl=ttls)
@settings(max_examples=25)
def test_online_answers_what_the_as_known_join_does(asked: list, held: list, ttl: timedelta) -> None:
    """A store that holds what was known at an instant answers as the join does for that instant."""
    of, frame = view(ttl, created=True), values(held)
    joined = point_in_time(rows(asked), of, frame, at="at")["wind"].to_list()
    for (gate, origin, at), offline in zip(asked, joined, strict=True):
        known = frame.filter(pl.col("created").is_null() | (pl.col("created") <= at))
        store = MemoryOnlineStore()
        store.write(of, to_feature_rows(of, known))
        assert store.read(of, [(str(gate), str(origin))], [to_micros(at)])["wind"] == [offline]


@given(held=observations, later=observations, asked=questions, ttl=ttls)
@settings(max_examples=25)
def test_the_future_changes_nothing(held: list, later: list, asked: list, ttl: timedelta) -> None:
    of, shift = view(ttl, created=False), timedelta(days=1)
    future = [(gate, origin, seen + shift, None, wind) for gate, origin, seen, _, wind in later]
    now = point_in_time(rows(asked), of, values(held), at="at")
    assert point_in_time(rows(asked), of, values(held + future), at="at").equals(now)


@given(held=st.lists(records, max_size=25))
@settings(max_examples=40)
def test_a_contradiction_is_found_exactly_when_there_is_one(held: list) -> None:
    contents: dict[tuple, set] = {}
    for gate, origin, seen, _, wind in held:
        if None not in (gate, origin):
            contents.setdefault((gate, origin, seen), set()).add(wind)
    try:
        to_feature_rows(view(timedelta(1), created=False), values(held))
        refused = False
    except DataError:
        refused = True
    assert refused == any(len(found) > 1 for found in contents.values())


@given(micros=st.integers(-(10**15), 10**15))
def test_micros_round_trip(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros
