import bentoml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=2)
model = make_pipeline(StandardScaler(), LogisticRegression(random_state=2)).fit(X_train, y_train)
print(f1_score(y_test, model.predict(X_test), average="macro"))
bentoml.sklearn.save_model("iris", model, signatures={"predict": {"batchable": True}})
