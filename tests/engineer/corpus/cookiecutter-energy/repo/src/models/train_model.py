import json
import pickle
from pathlib import Path

import click
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split


def fit(frame: pd.DataFrame):
    y = frame['kwh']
    X = frame.drop(columns=['kwh'])
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    model = GradientBoostingRegressor(random_state=0)
    model.fit(X_train, y_train)
    guesses = model.predict(X_test)
    return model, {'mae': mean_absolute_error(y_test, guesses), 'r2': r2_score(y_test, guesses)}


@click.command()
@click.argument('input_filepath')
@click.argument('output_filepath')
def main(input_filepath, output_filepath):
    model, scores = fit(pd.read_parquet(Path(input_filepath) / 'buildings.parquet'))
    with open(Path(output_filepath) / 'model.pkl', 'wb') as file:
        pickle.dump(model, file)
    (Path(output_filepath) / 'scores.json').write_text(json.dumps(scores))


if __name__ == '__main__':
    main()
