"""Real tables that packages bring: nannyml's census and housing, recbole's MovieLens-100k, scikit-learn's own."""

import numpy as np
import polars as pl

from mlwright.stages.monitoring.diagnosis.case import Floats, Task

from .base import DATA, START, Rows, World, boosted, flipped, split, times

NANNYML = DATA / "nannyml" / "datasets" / "data"
MOVIES = DATA / "recbole" / "dataset_example" / "ml-100k"


def census() -> World:
    """Who in Massachusetts is employed (US census): trained and referred to 2015, asked in 2016."""
    random = np.random.default_rng(2015)
    first = pl.read_parquet(NANNYML / "employment_MA_reference.pq")
    later = pl.read_parquet(NANNYML / "employment_MA_analysis.pq").join(
        pl.read_parquet(NANNYML / "employment_MA_analysis_target.pq"), on="id"
    )
    later = later.filter(pl.col("year") == 2016)
    parts = split(_census(first, current=False), (0.25, 0.2), random)
    current = split(_census(later, current=True), (0.2,), random)[0]
    model, unsure = boosted(Task.BINARY, parts[0])
    older, _ = boosted(Task.BINARY, parts[0].take(np.arange(300)), trees=10)
    return World(
        name="census",
        task=Task.BINARY,
        reference=parts[1],
        current=current,
        model=model,
        older=older,
        unsure=unsure,
        concept=flipped(lambda f: ((f["AGEP"] > 25) & (f["AGEP"] < 45)).fill_null(False).to_numpy(), 0.5),
    )


def recorded_census() -> tuple[World, Floats, Floats]:
    """The same people with the scores that nannyml's own model gave them: reference 2015, current 2018."""
    random = np.random.default_rng(2018)
    first = pl.read_parquet(NANNYML / "employment_MA_reference.pq")
    later = pl.read_parquet(NANNYML / "employment_MA_analysis.pq").join(
        pl.read_parquet(NANNYML / "employment_MA_analysis_target.pq"), on="id"
    )
    later = later.filter(pl.col("year") == 2018)
    sides = [
        frame[np.sort(random.choice(len(frame), 12_000, replace=False))].sort("id")
        for frame in (first, later)
    ]
    scores = [frame["predicted_probability"].to_numpy().astype(np.float64) for frame in sides]
    reference, current = _census(sides[0], current=False), _census(sides[1], current=True)

    def unknown(_: pl.DataFrame) -> Floats:
        raise AssertionError("nobody has the model")

    world = World(
        name="census of 2018",
        task=Task.BINARY,
        reference=reference,
        current=current,
        model=unknown,
        older=unknown,
        unsure=unknown,
        concept=lambda _, label, __: label,
    )
    return world, scores[0], scores[1]


def _census(frame: pl.DataFrame, *, current: bool) -> Rows:
    frame = frame.sort("id")
    names = [name for name in frame.columns if frame.schema[name] == pl.Categorical]
    features = frame.select("AGEP", *(pl.col(name).cast(pl.String) for name in names))
    return Rows(
        features=features,
        label=frame["employed"].to_numpy().astype(np.float64),
        at=times(len(frame), np.random.default_rng(len(frame)), current=current),
    )


def _given() -> pl.DataFrame:
    """Every rating of MovieLens-100k in the order of time, with what user and film were given before."""
    plain = {"user_id:token": pl.Int64, "item_id:token": pl.Int64}
    given = pl.read_csv(MOVIES / "ml-100k.inter", separator="\t", schema_overrides=plain)
    given.columns = ["user", "item", "rating", "at"]
    people = pl.read_csv(MOVIES / "ml-100k.user", separator="\t", quote_char=None)
    people.columns = ["user", "age", "gender", "occupation", "zip"]
    films = pl.read_csv(MOVIES / "ml-100k.item", separator="\t", quote_char=None, infer_schema_length=5000)
    films.columns = ["item", "title", "year", "kind"]
    given = given.sort("at", "user", "item").with_columns(pl.col("rating").cast(pl.Float64))
    before = pl.col("rating").shift(1)
    given = given.with_columns(
        user_mean=before.cum_sum().over("user") / pl.col("rating").cum_count().shift(1).over("user"),
        item_mean=(pl.col("rating").cum_sum().over("item") - pl.col("rating") + 3.5 * 5)
        / (pl.col("rating").cum_count().over("item") + 4),
        item_count=(pl.col("rating").cum_count().over("item") - 1).cast(pl.Float64),
        user_last=before.over("user"),
        hour=(pl.col("at") // 3600 % 24).cast(pl.Float64),
        user_sum=(pl.col("rating").cum_sum() - pl.col("rating")).over("user"),
        user_count=(pl.col("rating").cum_count() - 1).over("user").cast(pl.Float64),
    )
    given = given.with_columns(user_mean=(pl.col("user_sum") + 3.5 * 3) / (pl.col("user_count") + 3))
    given = given.join(people.drop("zip"), on="user", how="left").join(
        films.select("item", pl.col("year").cast(pl.Float64, strict=False), "kind"), on="item", how="left"
    )
    given = given.with_columns(
        kind=pl.col("kind").str.split(" ").list.first(), age=pl.col("age").cast(pl.Float64)
    )
    return given.sort("at", "user", "item")


def movielens() -> World:
    """Who likes a film (MovieLens-100k, four stars or more), by what user and film were given before."""
    random = np.random.default_rng(100)
    order = _given().with_row_index("row")
    middle = order.filter(pl.col("row").is_between(30_000, 99_999))
    parts = [
        middle.filter(pl.col("row").is_between(low, high))
        for low, high in ((30_000, 59_999), (60_000, 79_999), (80_000, 99_999))
    ]
    # By time the users are others: one user sits down and rates all at once. The two sides are drawn from the same
    # weeks, so that what differs between them is what was injected.
    mixed = split(_movies(pl.concat(parts[1:])), (0.5, 0.5), random)
    sides = [
        Rows(
            features=part.features,
            label=part.label,
            at=times(len(part), random, current=side == 1),
            cluster=part.cluster,
        )
        for side, part in enumerate(mixed)
    ]
    train = _movies(parts[0])
    model, unsure = boosted(Task.BINARY, train)
    older, _ = boosted(Task.BINARY, train.take(np.arange(500)), trees=12)
    return World(
        name="movielens",
        task=Task.BINARY,
        reference=sides[0],
        current=sides[1],
        model=model,
        older=older,
        unsure=unsure,
        concept=flipped(lambda f: (f["year"] >= 1994).fill_null(False).to_numpy(), 0.45),
    )


def stars() -> World:
    """How many stars a film is given (MovieLens-100k): the same ratings as a regression, in other parts."""
    random = np.random.default_rng(101)
    given = _given()[20_000:]
    film = given["item"].to_numpy()
    whole = _movies(given)
    whole = Rows(
        features=whole.features,
        label=given["rating"].to_numpy().astype(np.float64),
        at=whole.at,
        cluster=whole.cluster,
        past=pl.DataFrame({"item_mean": _before(film, whole.features["item_mean"])}),
    )
    train, reference, current = split(whole, (0.4, 0.3, 0.3), random)
    model, unsure = boosted(Task.REGRESSION, train, loss="absolute_error")
    older, _ = boosted(Task.REGRESSION, train.take(np.arange(200)), loss="absolute_error", trees=6)

    def concept(features: pl.DataFrame, label: Floats, random: np.random.Generator) -> Floats:
        """Films of the nineties are given a star and a half less, older ones more."""
        new = (features["year"] >= 1993).fill_null(value=False).to_numpy()
        return np.clip(label + np.where(new, -1.5, 0.7), 0.5, 5)

    return World(
        name="stars",
        task=Task.REGRESSION,
        reference=_timed(reference, current=False),
        current=_timed(current, current=True),
        model=model,
        older=older,
        unsure=unsure,
        concept=concept,
    )


def _before(who: np.ndarray, values: pl.Series) -> pl.Series:
    """The value of ten rows before of the same; of the first ten the first."""
    frame = pl.DataFrame({"who": who, "value": values})
    moved = pl.coalesce(pl.col("value").shift(10).over("who"), pl.col("value").first().over("who"))
    return frame.select(moved)["value"]


def _movies(frame: pl.DataFrame) -> Rows:
    names = "user_mean item_mean item_count user_count user_last hour age gender occupation year kind".split()
    return Rows(
        features=frame.select(names),
        label=(frame["rating"].to_numpy() >= 4).astype(np.float64),
        at=(frame["at"].to_numpy() * 1_000_000).astype(np.int64),
        cluster=frame["user"].to_numpy().astype(np.int64),
    )


def california() -> World:
    """Districts of California whose houses cost more than the median; those north of 38.4° are kept apart."""
    random = np.random.default_rng(1990)
    later = pl.read_csv(NANNYML / "california_housing_analysis.csv").join(
        pl.read_csv(NANNYML / "california_housing_analysis_gt.csv"), on="id"
    )
    first = pl.read_csv(NANNYML / "california_housing_reference.csv")
    whole = pl.concat([first.drop("partition", strict=False), later], how="diagonal_relaxed").sort("id")
    names = "MedInc HouseAge AveRooms AveBedrms Population AveOccup Latitude Longitude".split()
    rows = Rows(
        features=whole.select(pl.col(name).cast(pl.Float64) for name in names),
        label=whole["clf_target"].to_numpy().astype(np.float64),
        at=np.full(len(whole), START, dtype=np.int64),
    )
    north = whole["Latitude"].to_numpy() > 37.2
    near, far = rows.where(~north), rows.where(north)
    # The file is sorted by place, and its halves are other regions: shuffled, so that only what is injected differs.
    train, reference, current = split(near, (0.34, 0.33, 0.33), random)
    reference = _timed(reference, current=False)
    model, unsure = boosted(Task.BINARY, train)
    older, _ = boosted(Task.BINARY, train.take(np.arange(250)), trees=8)
    return World(
        name="california",
        task=Task.BINARY,
        reference=reference,
        current=_timed(current, current=True),
        far=_timed(far, current=True),
        model=model,
        older=older,
        unsure=unsure,
        concept=flipped(lambda f: (f["HouseAge"] < 28).fill_null(False).to_numpy(), 0.5),
    )


def digits() -> World:
    """scikit-learn's 1,797 written digits: ten classes by the grey of 32 pairs of dots, few rows."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pairs = found.data.reshape(-1, 32, 2).sum(axis=2).astype(np.float64)
    features = pl.DataFrame({f"p{at:02}": pairs[:, at] for at in range(32)})
    rows = Rows(
        features=features,
        label=found.target.astype(np.float64),
        at=np.full(len(features), START, dtype=np.int64),
    )
    train, reference, current = split(rows, (0.3, 0.35, 0.35), np.random.default_rng(9))
    model, unsure = boosted(Task.CLASSES, train, trees=40)
    older, _ = boosted(Task.CLASSES, train.take(np.arange(60)), trees=5)

    def concept(features: pl.DataFrame, label: Floats, random: np.random.Generator) -> Floats:
        """From now on a seven is filed as a one, and a nine as a four."""
        return np.select([label == 7, label == 9], [1.0, 4.0], label)

    return World(
        name="digits",
        task=Task.CLASSES,
        reference=_timed(reference, current=False),
        current=_timed(current, current=True),
        model=model,
        older=older,
        unsure=unsure,
        concept=concept,
    )


def cancer() -> World:
    """scikit-learn's 569 tumours: too few rows for anything but gross faults."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in found.feature_names]
    rows = Rows(
        features=pl.DataFrame({name: found.data[:, at] for at, name in enumerate(names)}),
        label=found.target.astype(np.float64),
        at=np.full(len(found.target), START, dtype=np.int64),
    )
    train, reference, current = split(rows, (0.34, 0.33, 0.33), np.random.default_rng(30))
    model, unsure = boosted(Task.BINARY, train, trees=40)
    older, _ = boosted(Task.BINARY, train.take(np.arange(60)), trees=5)
    return World(
        name="cancer",
        task=Task.BINARY,
        reference=_timed(reference, current=False),
        current=_timed(current, current=True),
        model=model,
        older=older,
        unsure=unsure,
        concept=flipped(lambda f: (f["mean_texture"] > 18).to_numpy(), 0.9),
    )


def _timed(rows: Rows, *, current: bool) -> Rows:
    at = times(len(rows), np.random.default_rng(len(rows)), current=current)
    return Rows(features=rows.features, label=rows.label, at=at, cluster=rows.cluster, past=rows.past)
