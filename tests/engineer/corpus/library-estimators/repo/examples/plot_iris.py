"""A first tree."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

from tidytrees import TidyTreeClassifier

X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y)
model = TidyTreeClassifier().fit(X_train, y_train)
plt.bar(["train", "test"], [model.score(X_train, y_train), model.score(X_test, y_test)])
