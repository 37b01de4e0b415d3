resource "aws_sagemaker_endpoint_configuration" "churn" {
  name_prefix = "churn-"
  kms_key_arn = aws_kms_key.models.arn
  production_variants {
    variant_name           = "current"
    model_name             = "churn-12"
    initial_instance_count = 2
    instance_type          = "ml.m6i.large"
    initial_variant_weight = 0.9
  }
  production_variants {
    variant_name           = "next"
    model_name             = "churn-13"
    initial_instance_count = 1
    instance_type          = "ml.m6i.large"
    initial_variant_weight = 0.1
  }
  data_capture_config {
    enable_capture              = true
    initial_sampling_percentage = 100
    destination_s3_uri          = "s3://acme-models/captured"
    capture_options { capture_mode = "InputAndOutput" }
  }
}

resource "aws_sagemaker_endpoint" "churn" {
  name                 = "churn"
  endpoint_config_name = aws_sagemaker_endpoint_configuration.churn.name
}

resource "aws_appautoscaling_target" "churn" {
  service_namespace  = "sagemaker"
  resource_id        = "endpoint/churn/variant/current"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  min_capacity       = 2
  max_capacity       = 6
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "churn-errors"
  namespace           = "AWS/SageMaker"
  metric_name         = "Invocation5XXErrors"
  dimensions          = { EndpointName = "churn", VariantName = "current" }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 1
  period              = 300
  alarm_actions       = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
}
