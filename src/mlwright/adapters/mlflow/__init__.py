"""Reading what an MLflow server, database or folder keeps, without the mlflow package."""
