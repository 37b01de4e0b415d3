from airflow.models import DagBag


def test_the_dag_loads():
    bag = DagBag("dags", include_examples=False)
    assert not bag.import_errors
    assert "retrain_churn" in bag.dags
