import mlflow
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

mlflow.set_tracking_uri("http://localhost:5000")
wine = pd.read_csv("data/wine.csv", sep=";")
X = wine.drop(columns=["quality"])
y = wine["quality"]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=4)
with mlflow.start_run():
    mlflow.log_params({"trees": 300})
    model = RandomForestRegressor(n_estimators=300, random_state=4).fit(X_train, y_train)
    mlflow.log_metric("mae", mean_absolute_error(y_test, model.predict(X_test)))
    mlflow.sklearn.log_model(model, "model")
