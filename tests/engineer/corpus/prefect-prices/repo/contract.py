"""What a row of prices must be."""

import pandera as pa

PRICES = pa.DataFrameSchema(
    {
        "hour": pa.Column("datetime64[ns]", unique=True),
        "wind_forecast": pa.Column(float, pa.Check.in_range(0, 100_000)),
        "load_forecast": pa.Column(float, pa.Check.ge(0)),
        "price_yesterday": pa.Column(float, pa.Check.in_range(-1000, 5000)),
        "price": pa.Column(float, pa.Check.in_range(-1000, 5000)),
    },
    strict=True,
)
