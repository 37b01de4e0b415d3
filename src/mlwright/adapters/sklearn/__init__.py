"""scikit-learn models in MLflow Model folders, stored with skops."""
