"""The rows of the last year."""

import os
from datetime import datetime, timedelta

import pandas as pd
import sqlalchemy


def last_year() -> pd.DataFrame:
    engine = sqlalchemy.create_engine(os.environ["WAREHOUSE_URL"])
    since = datetime.now() - timedelta(days=365)
    return pd.read_sql(sqlalchemy.text("select * from customers where month >= :since"), engine, params={"since": since})
