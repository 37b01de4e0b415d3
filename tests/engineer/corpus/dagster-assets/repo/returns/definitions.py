from dagster import Definitions, ScheduleDefinition, define_asset_job

from returns import assets

retrain = define_asset_job("retrain", selection="*")
monthly = ScheduleDefinition(job=retrain, cron_schedule="0 5 1 * *")
defs = Definitions(
    assets=[assets.parcels, assets.model],
    asset_checks=[assets.weights_are_possible, *assets.freshness],
    jobs=[retrain],
    schedules=[monthly],
)
