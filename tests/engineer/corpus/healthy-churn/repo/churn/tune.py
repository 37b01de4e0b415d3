"""Search hyperparameters with Optuna; the best go into config/train.yaml."""

import optuna
import pandas as pd
from sklearn.metrics import roc_auc_score

from churn.features import add_features
from churn.train import split, train


def objective(trial: optuna.Trial) -> float:
    """The AUC on the month before the held-out one."""
    settings = {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "max_iter": trial.suggest_int("max_iter", 50, 500),
        "seed": 13,
    }
    fit, check = split(pd.read_parquet("data/customers.parquet"))
    model = train(fit, settings)
    return roc_auc_score(check["churned"], model.predict_proba(add_features(check))[:, 1])


if __name__ == "__main__":
    optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=13)).optimize(objective, n_trials=60)
