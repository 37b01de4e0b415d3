import pickle

import pytest
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import check_estimator

from tidytrees import TidyTreeClassifier, TidyTreeRegressor


@pytest.mark.parametrize("estimator", [TidyTreeClassifier(), TidyTreeRegressor()])
def test_they_are_estimators(estimator):
    check_estimator(estimator)


def test_they_survive_pickling():
    X, y = load_iris(return_X_y=True)
    model = TidyTreeClassifier().fit(X, y)
    assert (pickle.loads(pickle.dumps(model)).predict(X) == model.predict(X)).all()
