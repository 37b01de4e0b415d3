import numpy as np

from fastknn import Neighbours


def test_a_row_is_its_own_neighbour():
    X = np.random.default_rng(0).normal(size=(50, 4))
    assert (Neighbours().fit(X).kneighbors(X, 1)[:, 0] == np.arange(50)).all()
