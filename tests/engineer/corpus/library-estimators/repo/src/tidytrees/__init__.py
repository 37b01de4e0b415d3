"""Decision trees that are short enough to be read."""

from tidytrees.classifier import TidyTreeClassifier
from tidytrees.regressor import TidyTreeRegressor

__all__ = ["TidyTreeClassifier", "TidyTreeRegressor"]
__version__ = "1.2.0"
