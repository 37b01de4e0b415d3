import json

import pandas as pd
import skops.io
import yaml
from dvclive import Live
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline

with open("params.yaml") as file:
    params = yaml.safe_load(file)["train"]
train, test = pd.read_csv("data/train.csv"), pd.read_csv("data/test.csv")
model = make_pipeline(
    TfidfVectorizer(max_features=params["max_features"]), LogisticRegression(C=params["C"], random_state=params["seed"])
)
model.fit(train["text"], train["spam"])
scores = model.predict_proba(test["text"])[:, 1]
found = {"auc": roc_auc_score(test["spam"], scores), "average_precision": average_precision_score(test["spam"], scores)}
with Live(save_dvc_exp=True) as live:
    live.log_params(params)
    for name, value in found.items():
        live.log_metric(name, value)
with open("metrics.json", "w") as file:
    json.dump(found, file)
skops.io.dump(model, "models/spam.skops")
