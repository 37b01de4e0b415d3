"""What is known of a trip when it begins."""

import numpy as np
import pandas as pd

COLUMNS = ["distance_log", "hour", "is_weekend"]


def arrival_features(trips: pd.DataFrame) -> pd.DataFrame:
    """One row of inputs for each trip."""
    begun = trips["begun_at"]
    return pd.DataFrame(
        {
            "distance_log": np.log1p(trips["distance_km"]),
            "hour": begun.dt.hour,
            "is_weekend": begun.dt.dayofweek >= 5,
        }
    )[COLUMNS]
