"""What can be asked, as data: an id, questions that surely mean it, and the words that speak for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One kind of question.

    ``title`` completes "I read this as: …". ``words`` and ``phrases`` carry weights: 1 is a hint, 3 is enough by
    itself. Phrases are words that stand next to each other once articles and the like are left out.
    """

    id: str
    title: str
    examples: tuple[str, ...]
    words: Mapping[str, float]
    phrases: Mapping[str, float]


def _weights(text: str) -> dict[str, float]:
    """Read ``3 deploy serve; 1.5 batch`` (phrases: words joined by ``_``)."""
    found: dict[str, float] = {}
    for group in text.split(";"):
        weight, *words = group.split()
        found |= {word.replace("_", " "): float(weight) for word in words}
    return found


def _intent(id: str, title: str, examples: tuple[str, ...], words: str, phrases: str) -> Intent:
    return Intent(
        id=id,
        title=title,
        examples=examples,
        words=_weights(words),
        phrases=_weights(phrases) if phrases else {},
    )


INTENTS: Final[tuple[Intent, ...]] = (
    _intent(
        "pipeline",
        "build a training pipeline",
        (
            "I need a training pipeline for our recommender",
            "How do I automate training?",
            "Should we run training on Airflow or Kubeflow?",
        ),
        (
            "3 pipeline orchestrate orchestrator; 2.5 airflow kubeflow dagster prefect metaflow; "
            "2 workflow; 1.5 train automate schedule cron notebook; 1 build create recommender "
            "recommendation; 0.5 production"
        ),
        "3 training_pipeline automate_training train_automatically orchestrate_training train_every",
    ),
    _intent(
        "deploy",
        "deploy a model",
        (
            "How do I deploy this PyTorch model for real-time predictions?",
            "How can we serve the model behind an API?",
            "How do I put the model into production?",
        ),
        (
            "4 deploy; 3.5 serve; 2.5 endpoint inference triton kserve bentoml torchserve expose "
            "host; 2 realtime fastapi; 1.5 api batch predict ship; 1 production online pytorch "
            "torch onnx"
        ),
        "2.5 real_time put_model behind_api batch_predictions; 2 put_live go_live",
    ),
    _intent(
        "next",
        "what to do once a model is trained",
        (
            "My model is trained and performs well; what's next?",
            "The model is done, now what?",
            "What should I do first?",
        ),
        "2.5 next nxt; 1 done finish first trained; 0.5 train ready well",
        (
            "3 whats_next next_step now_what what_now; 2.5 whats_nxt fix_first; 2.5 performs_well "
            "works_well do_first good_metrics; 2 start_with model_trained"
        ),
    ),
    _intent(
        "decay",
        "find out why quality is falling",
        (
            "Our accuracy has been falling for weeks",
            "Why is the model getting worse?",
            "AUC dropped since the last release",
        ),
        (
            "3.5 degrade decay deteriorate; 3 fall decline worsen; 2.5 drop worse decrease "
            "diagnose rot; 2 accuracy auc stale; 1.5 quality precision recall f1 rmse why; 1 "
            "metric performance down weeks since month"
        ),
        "3.5 no_longer_accurate; 2.5 getting_worse going_down model_decay gone_down; 2 less_accurate",
    ),
    _intent(
        "score",
        "how ready for production this is",
        (
            "How production-ready is this repository?",
            "What is our ML Test Score?",
            "Assess our MLOps maturity",
        ),
        (
            "3.5 ready mature; 3 assess assessment; 2.5 score rate grade; 2 gap level; 1 "
            "repository repo; 1.5 audit health production"
        ),
        (
            "5 ml_test_score test_score; 4 production_ready; 3 how_good maturity_level "
            "how_mature; 2.5 what_missing best_practices"
        ),
    ),
    _intent(
        "reproduce",
        "make runs reproducible",
        (
            "How do I make training reproducible?",
            "Why do I get different results each time I run it?",
            "Can we rerun last month's training exactly?",
        ),
        (
            "4 reproduce deterministic nondeterministic; 3.5 rerun; 3 seed random; 2.5 lock pin "
            "exactly identical; 2 lineage repeat; 1.5 environment same; 1 results"
        ),
        "3 same_result different_results same_results run_again different_result; 2 works_machine",
    ),
    _intent(
        "cost",
        "what it costs, and how large it has to be",
        (
            "What does this cost?",
            "How many replicas do we need for 200 requests per second?",
            "Our cloud bill is too high",
        ),
        (
            "4 cost; 3.5 pay price expensive cheap sizing budget; 3 money bill spend replica size "
            "idle; 2.5 capacity autoscale; 2 gpu instance scale; 1.5 save memory cpu requests; 1 "
            "cloud"
        ),
        "2 how_much how_many; 2.5 per_second too_high scale_zero",
    ),
    _intent(
        "rollback",
        "the new model is bad: go back",
        (
            "The new model is bad, roll back",
            "How do I revert to the previous version?",
            "We have an incident: predictions are broken in production",
        ),
        (
            "5 rollback; 4 revert incident outage; 3 undo emergency break garbage; 2.5 restore "
            "recover hotfix; 2 bad wrong previous oncall; 1.5 back; 1 production"
        ),
        (
            "5 roll_back rolled_back rolling_back; 3 previous_version previous_model go_back "
            "last_version switch_back; 2 new_model_bad old_model"
        ),
    ),
    _intent(
        "noise",
        "drift alarms that are noise",
        (
            "Our drift alarms are noise",
            "We get too many drift alerts and ignore them",
            "Drift is detected every day but the model is fine",
        ),
        (
            "3.5 noise noisy fatigue; 3 drift; 2.5 alarm ignore pager; 2 alert spam psi useless; "
            "1.5 false fine many; 1 wake"
        ),
        "4 alert_fatigue too_many false_alarms false_alarm false_positives; 2 drift_alarms drift_alerts every_day",
    ),
    _intent(
        "compliance",
        "documentation duties and regulation",
        (
            "Do we comply with the EU AI Act?",
            "What documentation does the regulator want?",
            "Do we have a model card?",
        ),
        (
            "4 comply regulation regulator regulatory gdpr governance; 3.5 legal law auditor; 2.5 "
            "certification iso eu; 2 documentation documented act audit card; 1.5 risk"
        ),
        "5 ai_act; 3.5 model_card high_risk data_sheet; 3 human_oversight",
    ),
    _intent(
        "security",
        "security of code, secrets, containers and models",
        (
            "Is this secure?",
            "Are there secrets in the repository?",
            "Is it dangerous to load these pickles?",
        ),
        (
            "5 secure security; 4 vulnerability cve hack; 3.5 secret credential password attack; "
            "3 pickle dangerous sbom; 2.5 unsafe injection malicious; 2 privilege permission "
            "token safe root key manifest docker image container; 1 leak"
        ),
        "3 api_key supply_chain leaked_secrets leaked_key; 2 access_control",
    ),
    _intent(
        "data",
        "quality of data and contracts on it",
        (
            "How do I catch bad data before training?",
            "Do we need a data contract?",
            "How should we validate input data?",
        ),
        (
            "3.5 contract; 3 schema corrupt; 2.5 validate validation null missing expectation "
            "dirty duplicate; 1.5 data quality pandera bad; 1 check input columns"
        ),
        "4 data_quality; 3 data_contract bad_data data_validation missing_values; 2 input_data validate_data",
    ),
    _intent(
        "leak",
        "is the result too good to be true",
        (
            "Is there data leakage?",
            "Our AUC is 0.999, is that too good to be true?",
            "Is our train/test split right?",
        ),
        (
            "4.5 leak; 3.5 overfit suspicious unrealistic contaminate; 3 split; 2 trust holdout "
            "perfect honest; 1.5 true evaluate"
        ),
        (
            "5 too_good data_leak; 4 random_split test_set train_test test_split; 3 "
            "cross_validation trust_score trust_metric"
        ),
    ),
    _intent(
        "tests",
        "tests of code, model and pipeline",
        (
            "What tests are missing?",
            "How do I test ML code?",
            "Set up CI for the training code",
        ),
        "3.5 pytest untested unittest; 3 test ci coverage; 1.5 regression missing; 1 code",
        "2.5 unit_test unit_tests integration_test test_coverage what_tests; 2 github_actions",
    ),
    _intent(
        "monitoring",
        "set up monitoring",
        (
            "How should we monitor the model in production?",
            "What should be on our dashboard?",
            "How would we notice that predictions go wrong?",
        ),
        (
            "4 monitor observability; 3 dashboard notice; 2.5 prometheus grafana observe slo; 2 "
            "detect watch; 1.5 alert drift metric; 1 production wrong log"
        ),
        "3 detect_drift set_up_alerts log_predictions; 2 set_up production_model model_metrics",
    ),
    _intent(
        "explain",
        "explain one finding",
        (
            "Explain data.contract",
            "What does the finding model.too_good mean?",
            "Why is dependencies.locked red?",
        ),
        "3 explain; 2.5 finding; 2 mean probe red; 1 why",
        "2.5 why_finding finding_mean what_mean",
    ),
    _intent(
        "compare",
        "compare runs or model versions",
        (
            "Compare the last two runs",
            "Which run was better?",
            "What is the difference between version 3 and version 4?",
        ),
        (
            "4 compare; 2.5 difference differ versus runs; 2 vs run experiment better; 1.5 "
            "version candidate between; 1 two last"
        ),
        "3 which_run which_version last_two two_runs; 2.5 which_model what_changed best_run",
    ),
    _intent(
        "tools",
        "which tool to choose",
        (
            "Which tool should we use?",
            "What MLOps stack do you recommend?",
            "MLflow or Weights & Biases?",
        ),
        (
            "3.5 tool; 3 stack; 2.5 framework vendor alternative toolchain; 2 choose pick library "
            "platform mlops buy mlflow wandb weights; 1 which recommend best or"
        ),
        "3 which_tool mlops_stack tech_stack; 2 should_use",
    ),
    _intent(
        "retrain",
        "when and how to retrain",
        (
            "How often should we retrain?",
            "When should the model be retrained?",
            "Should retraining start by itself?",
        ),
        "5 retrain; 2.5 refresh cadence; 2 trigger often; 1.5 stale update schedule; 1 old",
        "4 continuous_training train_again; 3 how_often how_frequently; 2 model_old",
    ),
    _intent(
        "track",
        "track experiments, versions of models and data",
        (
            "How do we keep track of experiments?",
            "Do we need a model registry?",
            "How should we version our data?",
        ),
        (
            "3.5 registry; 3 track versioning dvc; 2.5 experiment register provenance; 1.5 "
            "version mlflow wandb log; 1 keep"
        ),
        "3 model_registry experiment_tracking version_data data_version versions_data model_versions; 2 keep_track",
    ),
    _intent(
        "release",
        "release a new version safely",
        (
            "How do we roll out a new version safely?",
            "Should we do a canary or an A/B test?",
            "How do I compare champion and challenger on live traffic?",
        ),
        (
            "5 canary; 4 rollout ab challenger; 3.5 shadow; 3 gradual champion; 2.5 release "
            "promote safely traffic approve gate; 1 version new"
        ),
        "4.5 roll_out rolling_out blue_green; 3 ab_test new_version; 2 release_model",
    ),
    _intent(
        "fairness",
        "fairness and quality on groups",
        (
            "Is the model fair?",
            "Is our model biased against women?",
            "How does it do on subgroups?",
        ),
        (
            "4 fair bias discriminate discrimination; 3.5 subgroup demographic slice; 3 gender "
            "race ethics ethnic minority women; 2 group protected age"
        ),
        "2 per_group equal_opportunity",
    ),
    _intent(
        "slow",
        "make predictions faster",
        (
            "Our endpoint is slow",
            "How do I lower the p99 latency?",
            "Predictions time out under load",
        ),
        (
            "4 slow latency; 3.5 p99 p95 throughput timeout; 3 speed fast faster bottleneck; 2 "
            "optimize optimise millisecond load overload seconds lower"
        ),
        "3.5 time_out cold_start response_time takes_long too_slow; 2 under_load",
    ),
    _intent(
        "features",
        "features in training and serving",
        (
            "Do we need a feature store?",
            "How do we avoid training-serving skew?",
            "How do I keep features the same in training and serving?",
        ),
        "4 skew feast; 2.5 feature; 1.5 store offline online; 1 same training serving",
        "4.5 feature_store training_serving point_in_time; 2.5 point_time same_features",
    ),
)

BY_ID: Final[Mapping[str, Intent]] = {each.id: each for each in INTENTS}
