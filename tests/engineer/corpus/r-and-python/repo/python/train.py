import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

fields = pd.read_csv("/home/anna/projects/yields/data/clean.csv")
X = pd.get_dummies(fields[["rain_per_day", "soil", "area"]])
y = fields["yield"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)
forest = RandomForestRegressor(n_estimators=500, random_state=1)
forest.fit(X_train, y_train)
print("R2", r2_score(y_test, forest.predict(X_test)))
