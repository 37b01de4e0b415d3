from sagemaker.sklearn import SKLearn

estimator = SKLearn(
    entry_point="train.py",
    source_dir="src",
    framework_version="1.2-1",
    instance_type="ml.m5.xlarge",
    role="arn:aws:iam::123456789012:role/churn",
)
estimator.fit({"train": "s3://acme-churn/2026-09/train"})
estimator.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name="churn")
