"""A regressor."""

from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted, validate_data


class TidyTreeRegressor(RegressorMixin, BaseEstimator):
    """A tree with a bounded number of leaves."""

    def __init__(self, max_leaves: int = 8, random_state: int | None = None) -> None:
        self.max_leaves = max_leaves
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Grow the tree."""
        X, y = validate_data(self, X, y)
        self.tree_ = DecisionTreeRegressor(max_leaf_nodes=self.max_leaves, random_state=self.random_state)
        self.tree_.fit(X, y, sample_weight=sample_weight)
        return self

    def predict(self, X):
        """The value of each row."""
        check_is_fitted(self)
        return self.tree_.predict(validate_data(self, X, reset=False))
