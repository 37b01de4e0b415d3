"""Each Monday: take the last year, train, and keep the model if it is good enough."""

from datetime import datetime, timedelta

from airflow.decorators import dag, task


@dag(
    dag_id="retrain_churn",
    schedule="0 4 * * 1",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=2)},
)
def retrain_churn():
    @task
    def extract() -> str:
        from churn.data import last_year

        path = "/tmp/churn.parquet"
        last_year().to_parquet(path)
        return path

    @task
    def train(path: str) -> float:
        from churn.train import run

        return run(path)

    @task.short_circuit
    def good_enough(auc: float) -> bool:
        return auc >= 0.75

    @task
    def promote() -> None:
        from churn.train import promote_last

        promote_last()

    auc = train(extract())
    good_enough(auc) >> promote()


retrain_churn()
