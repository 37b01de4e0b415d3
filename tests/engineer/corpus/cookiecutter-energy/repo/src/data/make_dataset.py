# -*- coding: utf-8 -*-
import logging
from pathlib import Path

import click
import pandas as pd
from dotenv import find_dotenv, load_dotenv


@click.command()
@click.argument('input_filepath', type=click.Path(exists=True))
@click.argument('output_filepath', type=click.Path())
def main(input_filepath, output_filepath):
    """Turn raw data from (../raw) into cleaned data ready to be analysed (saved in ../processed)."""
    logger = logging.getLogger(__name__)
    logger.info('making final data set from raw data')
    frame = pd.read_csv(Path(input_filepath) / 'meters.csv', parse_dates=['read_at'])
    frame = frame.dropna(subset=['kwh'])
    frame.to_parquet(Path(output_filepath) / 'meters.parquet')


if __name__ == '__main__':
    logging.basicConfig(level=logging.INFO)
    load_dotenv(find_dotenv())
    main()
