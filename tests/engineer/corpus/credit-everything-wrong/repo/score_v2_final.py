import pandas as pd
from xgboost import XGBClassifier

df = pd.read_csv("customers.csv")
XGBClassifier(n_estimators=10).fit(df.drop(columns=["defaulted"]), df["defaulted"])
