"""Script mode: SageMaker says where data and model live."""

import argparse
import os

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier


def model_fn(folder):
    return joblib.load(os.path.join(folder, "model.joblib"))


def predict_fn(rows, model):
    return model.predict_proba(rows)[:, 1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    args = parser.parse_args()
    frame = pd.read_csv(os.path.join(args.train, "train.csv"))
    model = RandomForestClassifier(n_estimators=args.trees, random_state=0)
    model.fit(frame.drop(columns=["churned"]), frame["churned"])
    joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
