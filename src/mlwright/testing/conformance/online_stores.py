"""The exam of :class:`mlwright.ports.online_store.OnlineStore`.

::

    class TestMyStore(OnlineStoreConformance):
        @pytest.fixture
        def fresh(self) -> Fresh: ...      # () -> an empty store that shares nothing with the others

A hypothesis state machine compares the engine with
:class:`mlwright.testing.fakes.online_store.MemoryOnlineStore`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, TypeAlias

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mlwright.errors import DataError
from mlwright.model.features import FeatureView
from mlwright.ports.online_store import FeatureRows, OnlineStore
from mlwright.testing.conformance.gaps import Conformance
from mlwright.testing.conformance.stateful import compare
from mlwright.testing.fakes.online_store import MemoryOnlineStore

Fresh: TypeAlias = Callable[[], OnlineStore]

VIEW = FeatureView(
    name="weather",
    dataset="weather",
    entity=("origin", "gate"),
    timestamp="seen",
    features=("wind", "count", "sky", "wet"),
    ttl=timedelta(microseconds=5),
)
JFK, LGA = ("JFK", "1"), ("LGA", "1")


def rows(*records: tuple[tuple[str, ...], int, float | None]) -> FeatureRows:
    """Rows of :data:`VIEW` with these keys, instants and winds."""
    winds = [wind for _, _, wind in records]
    return FeatureRows(
        keys=[key for key, _, _ in records],
        times=[time for _, time, _ in records],
        columns={
            "wind": winds,
            "count": [None if wind is None else int(wind) for wind in winds],
            "sky": [None if wind is None else f"sky {wind}" for wind in winds],
            "wet": [None if wind is None else wind > 5 for wind in winds],
        },
    )


class OnlineStoreConformance(Conformance):
    """What every online store promises. Subclasses supply the fixture ``fresh``."""

    examples: ClassVar[int] = 20

    @pytest.fixture
    def store(self, fresh: Fresh) -> OnlineStore:
        """An empty store."""
        return fresh()

    def test_nothing_is_known_before_the_first_write(self, store: OnlineStore) -> None:
        """Every feature has its list, of Nones."""
        assert store.read(VIEW, [JFK, LGA], [0, 0]) == {name: [None, None] for name in VIEW.features}
        assert store.read(VIEW, [], []) == {name: [] for name in VIEW.features}

    def test_values_and_their_types_come_back(self, store: OnlineStore) -> None:
        """A float is a float, a whole number, a text and a boolean what they were."""
        assert store.write(VIEW, rows((JFK, 10, 7.0))) == 1
        got = store.read(VIEW, [JFK], [10])
        assert got == {"wind": [7.0], "count": [7], "sky": ["sky 7.0"], "wet": [True]}
        assert [type(column[0]) for column in got.values()] == [float, int, str, bool]
        assert list(got) == list(VIEW.features)

    @pytest.mark.parametrize(("at", "wind"), [(9, None), (10, 7.0), (15, 7.0), (16, None)])
    def test_from_the_instant_to_the_end_of_the_ttl(
        self, store: OnlineStore, at: int, wind: float | None
    ) -> None:
        """Both ends are included, and nothing comes from the future."""
        store.write(VIEW, rows((JFK, 10, 7.0)))
        assert store.read(VIEW, [JFK], [at])["wind"] == [wind]

    def test_the_past_stays_readable(self, store: OnlineStore) -> None:
        """Each question has its own instant: a later value does not hide an earlier one."""
        store.write(VIEW, rows((JFK, 20, 2.0), (JFK, 10, 1.0)))
        assert store.read(VIEW, [JFK] * 4, [20, 19, 14, 10])["wind"] == [2.0, None, 1.0, 1.0]

    def test_keys_do_not_mix(self, store: OnlineStore) -> None:
        """All parts of a key count, and their borders too."""
        keys = [("a", "bc"), ("ab", "c"), ("a", ""), ("", "a")]
        store.write(VIEW, rows(*((key, 10, float(wind)) for wind, key in enumerate(keys))))
        asked = [*reversed(keys), ("abc", ""), ("b", "c")]
        assert store.read(VIEW, asked, [10] * 6)["wind"] == [3.0, 2.0, 1.0, 0.0, None, None]

    def test_a_key_that_has_nothing_yet_does_not_get_its_neighbours(self, store: OnlineStore) -> None:
        """Whatever the order in which the engine keeps them."""
        keys = [("a", "1"), ("b", "1"), ("c", "1")]
        store.write(VIEW, rows((keys[0], 10, 1.0), (keys[1], 20, 2.0), (keys[2], 10, 3.0)))
        assert store.read(VIEW, keys, [12, 12, 12])["wind"] == [1.0, None, 3.0]

    def test_the_latest_null_is_null(self, store: OnlineStore) -> None:
        """Earlier values are not carried forward, column by column."""
        store.write(VIEW, rows((JFK, 10, 1.0), (JFK, 11, None)))
        assert store.read(VIEW, [JFK], [12]) == {name: [None] for name in VIEW.features}

    def test_the_later_written_wins(self, store: OnlineStore) -> None:
        """Within a write and across writes; a null replaces too."""
        store.write(VIEW, rows((JFK, 10, 1.0), (JFK, 10, 2.0), (LGA, 10, 3.0)))
        assert store.read(VIEW, [JFK, LGA], [10, 10])["wind"] == [2.0, 3.0]
        store.write(VIEW, rows((JFK, 10, 4.0), (LGA, 10, None)))
        assert store.read(VIEW, [JFK, LGA], [10, 10])["wind"] == [4.0, None]

    def test_writing_twice_is_writing_once(self, store: OnlineStore) -> None:
        """A materialisation that was broken off may simply be repeated."""
        held = rows((JFK, 10, 1.0), (LGA, 12, None), (JFK, 12, 2.0))
        assert store.write(VIEW, held) == store.write(VIEW, held) == 3
        assert store.read(VIEW, [JFK, JFK, LGA], [11, 12, 12])["wind"] == [1.0, 2.0, None]

    def test_empty_write(self, store: OnlineStore) -> None:
        """No rows are no error, before and after others."""
        assert store.write(VIEW, rows()) == 0
        store.write(VIEW, rows((JFK, 10, 1.0)))
        assert store.write(VIEW, rows()) == 0
        assert store.read(VIEW, [JFK], [10])["wind"] == [1.0]

    def test_instants_before_1970(self, store: OnlineStore) -> None:
        """Time goes on below zero."""
        store.write(VIEW, rows((JFK, -10, 1.0), (JFK, -3, 2.0)))
        assert store.read(VIEW, [JFK] * 4, [-11, -10, -1, 2])["wind"] == [None, 1.0, 2.0, 2.0]

    def test_views_do_not_mix(self, store: OnlineStore) -> None:
        """Two views may have the same keys and features."""
        other = replace(VIEW, name="weather_hourly")
        store.write(VIEW, rows((JFK, 10, 1.0)))
        store.write(other, rows((JFK, 10, 2.0)))
        assert store.read(VIEW, [JFK], [10])["wind"] == [1.0]
        assert store.read(other, [JFK], [10])["wind"] == [2.0]

    def test_ttl_is_the_readers(self, store: OnlineStore) -> None:
        """A changed ttl counts at once, also one without end."""
        store.write(VIEW, rows((JFK, 10, 1.0)))
        assert store.read(replace(VIEW, ttl=timedelta(0)), [JFK, JFK], [10, 11])["wind"] == [1.0, None]
        assert store.read(replace(VIEW, ttl=timedelta.max), [JFK], [10**15])["wind"] == [1.0]

    def test_a_subset_of_features_in_another_order(self, store: OnlineStore) -> None:
        """The reader's view says which features and in which order."""
        store.write(VIEW, rows((JFK, 10, 1.0)))
        got = store.read(replace(VIEW, features=("wet", "wind")), [JFK], [10])
        assert list(got.items()) == [("wet", [False]), ("wind", [1.0])]

    def test_a_faulty_write_changes_nothing(self, store: OnlineStore) -> None:
        """Uneven columns, a missing or a strange feature, a key with a part too few: refused as a whole."""
        store.write(VIEW, rows((JFK, 10, 1.0)))
        good = rows((JFK, 10, 2.0), (LGA, 10, 3.0))
        rest = {name: values for name, values in good.columns.items() if name != "wind"}
        for bad in (
            replace(good, times=[10]),
            replace(good, columns={**good.columns, "wind": [2.0]}),
            replace(good, columns=rest),
            replace(good, columns={**rest, "wnd": [2.0, 3.0]}),
            replace(good, keys=[JFK, ("LGA",)]),
        ):
            with pytest.raises(DataError):
                store.write(VIEW, bad)
        assert store.read(VIEW, [JFK, LGA], [10, 10])["wind"] == [1.0, None]

    def test_uneven_question(self, store: OnlineStore) -> None:
        """As many instants as keys."""
        with pytest.raises(DataError):
            store.read(VIEW, [JFK, LGA], [10])

    def test_writers_and_readers_at_once(self, store: OnlineStore) -> None:
        """No row is lost, and a reader sees a whole write or nothing of it."""

        def write(number: int) -> None:
            store.write(VIEW, rows((("k", str(number)), 10, 1.0), (("l", str(number)), 10, 1.0)))

        def look(number: int) -> list[object]:
            return store.read(VIEW, [("k", str(number)), ("l", str(number))], [10, 10])["wind"]

        with ThreadPoolExecutor(4) as pool:
            writes = [pool.submit(write, number) for number in range(8)]
            seen = [pool.submit(look, number % 8) for number in range(40)]
        assert all(each.exception() is None for each in writes)
        assert all(each.result() in ([None, None], [1.0, 1.0]) for each in seen)
        keys = [(letter, str(number)) for letter in "kl" for number in range(8)]
        assert store.read(VIEW, keys, [10] * 16)["wind"] == [1.0] * 16

    def test_answers_as_the_reference_does(self, fresh: Fresh) -> None:
        """Any sequence of writes and reads."""
        compare(lambda: OnlineStoreMachine(fresh()), examples=self.examples)


_Record: TypeAlias = tuple[tuple[str, str], int, object, object, object, object]

_keys = st.sampled_from([("a", "b"), ("ab", ""), ("", "ab"), ("é", "1")])
_times = st.integers(-4, 8) | st.sampled_from([-(10**15), 10**15])
_row = st.tuples(
    _keys,
    _times,
    st.none() | st.floats(allow_nan=False),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(max_size=4),
    st.none() | st.booleans(),
)


class OnlineStoreMachine(RuleBasedStateMachine):
    """Does the same to an engine and to the reference, and compares the answers."""

    def __init__(self, engine: OnlineStore) -> None:
        super().__init__()
        self.engine = engine
        self.reference = MemoryOnlineStore()

    @rule(records=st.lists(_row, max_size=6), name=st.sampled_from(["one", "two"]))
    def write(self, records: Sequence[_Record], name: str) -> None:
        """The same rows to both."""
        columns = {
            feature: [record[2 + place] for record in records] for place, feature in enumerate(VIEW.features)
        }
        keys, times = [each[0] for each in records], [each[1] for each in records]
        held, view = FeatureRows(keys=keys, times=times, columns=columns), replace(VIEW, name=name)
        assert self.engine.write(view, held) == self.reference.write(view, held)

    @rule(
        asked=st.lists(st.tuples(_keys, _times), max_size=6),
        name=st.sampled_from(["one", "two"]),
        ttl=st.sampled_from([timedelta(0), VIEW.ttl, timedelta.max]),
    )
    def read(self, asked: Sequence[tuple[tuple[str, str], int]], name: str, ttl: timedelta) -> None:
        """The same questions to both."""
        view = replace(VIEW, name=name, ttl=ttl)
        keys, at = [key for key, _ in asked], [instant for _, instant in asked]
        assert self.engine.read(view, keys, at) == self.reference.read(view, keys, at)
