"""Train on the data whose digest stands here."""

import hashlib
import os
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

DIGEST = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
PASSWORD = os.environ.get("DB_PASSWORD", "")
TOKEN_LENGTH = 128

path = Path("data/loans.parquet")
if hashlib.sha256(path.read_bytes()).hexdigest() != DIGEST:
    raise SystemExit("other data than expected")
loans = pd.read_parquet(path)
X, y = loans.drop(columns=["paid_back"]), loans["paid_back"]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=5)
model = LogisticRegression(random_state=5).fit(X_train, y_train)
print(roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))
