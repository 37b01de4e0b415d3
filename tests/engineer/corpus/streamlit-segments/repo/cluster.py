"""Five groups of customers."""

import joblib
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

COLUMNS = ["orders", "basket", "days_since_last"]

customers = pd.read_parquet("data/customers.parquet")
model = make_pipeline(StandardScaler(), KMeans(n_clusters=5, n_init=10, random_state=0))
labels = model.fit_predict(customers[COLUMNS])
print("silhouette", silhouette_score(customers[COLUMNS], labels, sample_size=5000, random_state=0))
joblib.dump(model, "segments.joblib")
