import json
import os

import pandas as pd
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from features import inputs

parcels = pd.read_parquet(os.environ["PARCELS"])
X_train, X_test, y_train, y_test = train_test_split(
    inputs(parcels), parcels["damaged"], test_size=0.25, random_state=2, stratify=parcels["damaged"]
)
model = RandomForestClassifier(min_samples_leaf=20, random_state=2).fit(X_train, y_train)
found = average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
with open("metrics.json", "w") as file:
    json.dump({"average_precision": found}, file)
if found < 0.2:
    raise SystemExit("worse than needed: no artifact")
skops.io.dump(model, "model.skops")
