"""What a customer row must look like, in training and when the service is asked."""

import pandera.pandas as pa

CUSTOMERS = pa.DataFrameSchema(
    {
        "tenure": pa.Column(int, pa.Check.in_range(0, 1200)),
        "monthly_charges": pa.Column(float, pa.Check.ge(0)),
        "calls_to_support": pa.Column(int, pa.Check.ge(0)),
        "tariff": pa.Column(str, pa.Check.isin(["basic", "plus", "family"])),
        "region": pa.Column(str),
    },
    strict=False,
)
