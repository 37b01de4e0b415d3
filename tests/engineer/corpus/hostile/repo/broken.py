def train(:
    model.fit(X, y
