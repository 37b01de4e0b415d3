import pandas as pd


def inputs(parcels: pd.DataFrame) -> pd.DataFrame:
    """Weight, number of stops, and whether it is glass."""
    return parcels.assign(glass=parcels["content"].eq("glass"))[["weight", "stops", "glass"]]
