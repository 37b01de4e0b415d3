"""A classifier."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted, validate_data


class TidyTreeClassifier(ClassifierMixin, BaseEstimator):
    """A tree with a bounded number of leaves."""

    def __init__(self, max_leaves: int = 8, random_state: int | None = None) -> None:
        self.max_leaves = max_leaves
        self.random_state = random_state

    def fit(self, X, y):
        """Grow the tree."""
        X, y = validate_data(self, X, y)
        self.classes_ = np.unique(y)
        self.tree_ = DecisionTreeClassifier(max_leaf_nodes=self.max_leaves, random_state=self.random_state)
        self.tree_.fit(X, y)
        return self

    def predict(self, X):
        """The class of each row."""
        check_is_fitted(self)
        return self.tree_.predict(validate_data(self, X, reset=False))
