from pathlib import Path

import click
import pandas as pd


def per_building(meters: pd.DataFrame) -> pd.DataFrame:
    """One row for each building: size, age, and its yearly demand."""
    grouped = meters.groupby('building')
    return pd.DataFrame({
        'area': grouped['area'].first(),
        'built': grouped['built'].first(),
        'kwh': grouped['kwh'].sum(),
    })


@click.command()
@click.argument('input_filepath')
@click.argument('output_filepath')
def main(input_filepath, output_filepath):
    meters = pd.read_parquet(Path(input_filepath) / 'meters.parquet')
    per_building(meters).to_parquet(Path(output_filepath) / 'buildings.parquet')


if __name__ == '__main__':
    main()
