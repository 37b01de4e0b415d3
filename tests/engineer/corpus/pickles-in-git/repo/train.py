import pickle

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

rows = pd.read_csv("data/train.csv")
X = rows.drop(columns=["bought"])
y = rows["bought"]
X_train, X_test, y_train, y_test = train_test_split(X, y)
model = RandomForestClassifier().fit(X_train, y_train)
print(roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))
with open("models/forest.pkl", "wb") as file:
    pickle.dump(model, file)
