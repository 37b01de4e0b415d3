"""Search settings on the validation part only."""

import sys

import optuna
import pandas as pd

from ranking.features import build
from ranking.train import SETTINGS, cut, mean_ndcg, train


def main(path: str) -> None:
    rest, _ = cut(pd.read_parquet(path), 0.2)
    fit, check = cut(rest, 0.2)

    def objective(trial: optuna.Trial) -> float:
        settings = SETTINGS | {"num_leaves": trial.suggest_int("num_leaves", 15, 255, log=True)}
        return mean_ndcg(check, train(fit, check, settings).predict(build(check)))

    optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=11)).optimize(objective, n_trials=40)


if __name__ == "__main__":
    main(sys.argv[1])
