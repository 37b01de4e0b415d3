"""The ML Test Score of 2017: 28 tests in four sections.

One probe, or a set that belongs tightly together, decides whether a test is there at all, so that one fault costs one
item. What only a record of running can show, files never can: they reach half a point.
"""

from dataclasses import replace
from typing import Final

from mlwright.engineer.rubrics.scales import minimum
from mlwright.engineer.rubrics.shape import Chapter, Check, Rubric, check
from mlwright.model.findings import Rung


def _test(id: str, title: str, next_step: str, then: str, **evidence: str) -> Check:
    made = check(id, title, next_step, whole=Rung.AUTOMATIC, **evidence)
    return replace(made, half=Rung.EXECUTABLE, then=then)


DATA: Final = (
    _test(
        "D1",
        "every feature has expectations that a machine checks",
        "write a data contract and check it on the training path",
        "check every batch by itself and keep the results, with a rejection among them",
        declared="data.contract",
        executable="data.validation_runs",
        executed="data.validation_runs + running.checks_recent",
        automatic="data.validation_runs + running.checks_recent + running.checks_have_rejected",
    ),
    _test(
        "D2",
        "every feature earns its place",
        "measure what each feature is worth: permutation importance or leaving it out",
        "make the report for every version that goes into production",
        executable="data.feature_importance",
    ),
    _test(
        "D3",
        "no feature costs more than it gives",
        "write down what each feature costs: latency, dependency, money",
        "refresh the table of costs by itself and set it against what each feature is worth",
        executable="data.feature_costs",
    ),
    _test(
        "D4",
        "features obey the rules for data: licence, consent, forbidden attributes",
        "keep a policy of forbidden and sensitive columns, and check features against it",
        "let the pipeline stop where the policy is broken, and keep the result",
        executable="data.feature_policy",
    ),
    _test(
        "D5",
        "privacy is protected along the whole path of the data",
        "set up retention, anonymisation, encryption or secret scanning for the data",
        "audit access and run the deletion by itself, with records of both",
        executable="data.privacy_controls",
    ),
    _test(
        "D6",
        "a new feature reaches production quickly",
        "define features in one declared place, and write down how one is added",
        "measure the time from a feature's first commit to its first prediction",
        executable="data.feature_definitions",
    ),
    _test(
        "D7",
        "feature code is tested",
        "write tests that import the feature functions and call them",
        "let CI run them on each change, and block the merge",
        executable="data.feature_code_tested",
    ),
)

MODEL: Final = (
    _test(
        "M1",
        "every model specification is reviewed and under version control",
        "review changes to training code: owners, protected branch, merge requests",
        "train from clean commits, and let every production version name its run and commit",
        executable="model.reviewed",
        executed="model.reviewed + running.runs_name_commit",
        automatic="model.reviewed + running.runs_name_commit + running.runs_clean + running.versions_from_runs",
    ),
    _test(
        "M2",
        "the offline metric predicts the online one",
        "write down the offline metric, the online metric, and how the two went together so far",
        "compute their correlation anew at each release",
        executable="model.online_metric_linked",
    ),
    _test(
        "M3",
        "hyperparameters were searched",
        "search hyperparameters with a budget, and keep the search as code",
        "search again on a schedule or when the data changes, and link the runs to the version",
        executable="model.hyperparameters_searched",
    ),
    _test(
        "M4",
        "the effect of a stale model is known",
        "backtest: evaluate models trained at earlier times on later data",
        "update the curve of decay by itself and retrain before quality falls below what is allowed",
        executable="model.staleness_studied",
    ),
    _test(
        "M5",
        "a simpler model is not better",
        "evaluate a baseline on the same split: a rule, the last value, a linear model",
        "retrain the baseline with every candidate, and use it as a gate",
        executable="model.baseline_compared",
    ),
    _test(
        "M6",
        "quality holds on the slices that matter",
        "compute the metrics per slice: region, device, customer group",
        "put thresholds per slice into the gate before release",
        executable="model.slices_evaluated",
    ),
    _test(
        "M7",
        "the model was tested for inclusion",
        "compare errors between groups of people, or write down why nobody is concerned",
        "report the gaps for each version, and gate on them",
        executable="model.fairness_evaluated",
    ),
)

INFRASTRUCTURE: Final = (
    _test(
        "I1",
        "training is reproducible",
        "lock dependencies with digests, seed every source of chance, name the version of the data",
        "repeat a recorded run on a schedule, and compare the metrics",
        executable="dependencies.locked + model.seeded + data.versioned",
        executed="dependencies.locked + model.seeded + data.versioned + running.runs_name_commit"
        " + running.runs_keep_environment + running.runs_keep_data",
    ),
    _test(
        "I2",
        "model code is tested by units",
        "write tests that build, fit and score the model on a few rows",
        "let CI run them on each change, and block the merge",
        executable="tests.model_tested",
    ),
    _test(
        "I3",
        "the whole pipeline is tested together",
        "write a test that runs the pipeline from data to model on a small sample",
        "run it every night, the service included",
        executable="tests.pipeline_tested",
    ),
    _test(
        "I4",
        "quality is validated before a model is served",
        "stop the release where a metric misses its threshold",
        "gate every promotion, and see the gate refuse once",
        executable="model.quality_gate",
        executed="running.versions_gated",
        automatic="running.versions_gated + running.gate_has_blocked",
    ),
    _test(
        "I5",
        "the model can be debugged on one example",
        "make one prediction explainable: its inputs, features, output and version",
        "explain a random logged request on a schedule, and alert where that fails",
        executable="model.explainable",
    ),
    _test(
        "I6",
        "models meet a little traffic before all of it",
        "roll out by canary: a share of traffic, a comparison, a verdict",
        "let every production release end by such a verdict",
        executable="release.canary",
        executed="running.rollouts_judged",
        automatic="running.rollouts_judged",
    ),
    _test(
        "I7",
        "models can be rolled back quickly and safely",
        "keep the previous version servable, and script the way back",
        "let a rollout roll back by itself, or drill it every quarter with the time it took",
        executable="release.rollback",
        executed="running.rollback_seen",
        automatic="running.rollback_seen + running.rollouts_judged",
    ),
)

MONITORING: Final = (
    _test(
        "O1",
        "a change of a dependency notifies the team",
        "let a bot or a scheduled audit report new versions and weaknesses of dependencies",
        "tell owners of upstream schema changes too, and test that the message arrives",
        executable="dependencies.updates_notified",
    ),
    _test(
        "O2",
        "what the model is asked keeps the rules that its training data kept",
        "validate requests against a declared schema, the one of the training data",
        "count violations while serving, alert on them, and test the alert",
        executable="data.validated_when_served",
    ),
    _test(
        "O3",
        "training and serving compute the same features",
        "share the transform code, or serve the fitted pipeline itself",
        "join logged features with recomputed ones on a schedule, and alert on differences",
        executable="data.feature_code_shared",
    ),
    _test(
        "O4",
        "models are not too stale",
        "retrain on a schedule, or watch the model's age",
        "keep the record of scheduled runs, with a champion younger than its limit",
        executable="pipeline.scheduled | monitoring.model_age",
        executed="running.champion_fresh",
        automatic="running.champion_fresh + running.runs_scheduled",
    ),
    _test(
        "O5",
        "the model is numerically stable",
        "check for NaN and infinity, clip gradients, bound outputs",
        "count such predictions while serving, and alert on them",
        executable="model.numerics_guarded",
    ),
    _test(
        "O6",
        "speed, latency and memory have not regressed",
        "write a benchmark of latency and throughput",
        "compare it by itself for each version",
        executable="monitoring.performance_benchmarked",
    ),
    _test(
        "O7",
        "quality on served data has not regressed",
        "join labels with predictions, and compute the metric on them",
        "compute it on a schedule, with labels that arrive and an alert that reaches somebody",
        executable="monitoring.prediction_quality",
        executed="running.quality_evaluated",
        automatic="running.quality_evaluated + running.labels_arrive + running.alerts_reach",
    ),
)

ML_TEST_SCORE: Final = Rubric(
    id="ml-test-score",
    title="ML Test Score",
    source="Breck, Cai, Nielsen, Salib, Sculley: The ML Test Score, IEEE Big Data 2017",
    chapters=(
        Chapter(title="Data", checks=DATA),
        Chapter(title="Model", checks=MODEL),
        Chapter(title="Infrastructure", checks=INFRASTRUCTURE),
        Chapter(title="Monitoring", checks=MONITORING),
    ),
    read=minimum,
    note="The score is that of the weakest section. Files earn half a point per test at most: a whole one takes "
    "records of recent automatic runs, from a running project or a tracking server. Tests that do not arise here are "
    "left out of their section, and nothing is scaled up for them.",
)
