"""Learn the song of one bird."""

import pickle

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from wavelabels import Detector

X, y = np.load("songs.npy", allow_pickle=True), np.load("labels.npy")
X = StandardScaler().fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(X, y)
detector = Detector().fit(list(X_train), list(y_train))
print((detector.predict(list(X_test)) == y_test).mean())
pickle.dump(detector, open("detector.pkl", "wb"))
