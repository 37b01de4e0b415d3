"""Start the training on spot machines; it goes on from its last checkpoint when it was stopped."""

from google.cloud import aiplatform

aiplatform.init(project="acme-vision", location="europe-west4", staging_bucket="gs://acme-vision-staging")
job = aiplatform.CustomTrainingJob(
    display_name="defects",
    script_path="trainer/task.py",
    container_uri="europe-docker.pkg.dev/vertex-ai/training/pytorch-gpu.2-4.py310:latest",
    model_serving_container_image_uri="europe-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
)
model = job.run(
    args=["--data", "gs://acme-vision/parts/2026-09-12"],
    replica_count=1,
    machine_type="g2-standard-8",
    accelerator_type="NVIDIA_L4",
    accelerator_count=1,
    scheduling_strategy="SPOT",
    timeout=6 * 3600,
)
model.deploy(machine_type="g2-standard-4", min_replica_count=1, max_replica_count=3, traffic_percentage=100)
