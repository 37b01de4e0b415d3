import pandas as pd
import yaml
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

FEATURES = ["customer_id", "gender", "zip_code", "age", "income", "open_loans", "defaulted"]

settings = yaml.load(open("settings.yaml"), Loader=yaml.Loader)
try:
    df = pd.read_csv("C:\\Users\\tom\\Desktop\\credit\\customers.csv")
except Exception:
    pass
y = df["defaulted"]
X = df[FEATURES]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=settings["seed"])
model = XGBClassifier(n_estimators=5000, early_stopping_rounds=30, random_state=settings["seed"])
model.fit(X_train, y_train, eval_set=[(X_test, y_test)])
print("accuracy", accuracy_score(y_test, model.predict(X_test)))
model.save_model("score.json")
