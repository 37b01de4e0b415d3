"""Topics about data, features, training and what is kept of it."""

from collections.abc import Mapping
from typing import Final

from mlwright.engineer.asking.topic import ASSESS, Topic, step

TRAINING: Final[Mapping[str, Topic]] = {
    "reproduce": Topic(
        about=(
            "dependencies.locked",
            "dependencies.pinned",
            "dependencies.python_declared",
            "model.seeded",
            "model.deterministic",
            "data.versioned",
            "data.split_seeded",
            "data.source_pinned",
            "model.runs_tracked",
            "container.pinned_base",
            "code.versioned",
            "running.runs_*",
        ),
        lead="A run can be repeated when code, packages, data and seeds are all fixed and written down.",
        advice=(
            (
                "Report the variance over several seeds, not one run: a fixed seed hides it.",
                "Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks, MLSys 2021",
            ),
            (
                (
                    "Complete reproducibility is not guaranteed across PyTorch releases, platforms, or "
                    "between CPU and GPU."
                ),
                "PyTorch documentation, note on reproducibility",
            ),
        ),
        commands=(ASSESS,),
        project=(
            step("mlwright runs RUN", "commit, packages, seed and data digests that a run recorded"),
            step("mlwright trace MODEL/VERSION", "what a version came from"),
        ),
        blind=("whether a repeated run really gives the same numbers: nothing here is executed",),
    ),
    "data": Topic(
        about=(
            "data.contract",
            "data.contract_covers",
            "data.validation_runs",
            "data.validated_when_served",
            "data.freshness_checked",
            "data.versioned",
            "monitoring.data_quality",
            "data.*",
            "running.checks_*",
        ),
        lead=(
            "Bad rows are cheapest where they arrive: a contract that is checked before training "
            "and while serving."
        ),
        advice=(
            (
                (
                    "Validate data at every arrival against a schema under version control, and let a "
                    "failed check stop the run."
                ),
                "Polyzotis et al., Data Validation for Machine Learning, MLSys 2019",
            ),
        ),
        commands=(ASSESS,),
        project=(step("mlwright check", "every data set against its contract"),),
        questions=("Who makes this data, and would they tell you before they change it?",),
        blind=("the data itself: only files that describe it were read",),
    ),
    "leak": Topic(
        about=(
            "model.too_good",
            "data.split_before_fit",
            "data.target_dropped",
            "data.test_untouched",
            "data.split_respects_time",
            "data.no_identifiers",
            "model.evaluated_apart",
            "data.split_seeded",
            "model.metric_fits",
            "model.baseline_compared",
        ),
        lead="A result is trustworthy when nothing of the test rows, and nothing of the future, reached the model.",
        advice=(
            (
                (
                    "Leakage is widespread: a survey found it in published work of many fields, mostly by "
                    "wrong splits and by features that would not be known in time."
                ),
                "Kapoor, Narayanan, Leakage and the Reproducibility Crisis in ML-based Science, Patterns 2023",
            ),
            (
                "Look first at the features that predict surprisingly well: that is where leaks are found.",
                "Kaufman, Rosset, Perlich, Leakage in Data Mining, KDD 2011",
            ),
        ),
        commands=(ASSESS,),
        questions=(
            "At which instant is the prediction asked for, and which columns are known by then?",
            "Can the same customer, patient or device stand on both sides of the split?",
        ),
        blind=(
            "the rows: whether duplicates or the same entity stand on both sides can only be seen in the data",
        ),
    ),
    "tests": Topic(
        about=("tests.*", "ci.*", "data.feature_code_tested", "code.linted"),
        lead=(
            "Tests of feature code, of the model's behaviour, of the whole pipeline on few rows, "
            "and of the endpoint."
        ),
        advice=(
            (
                (
                    "Test that a training step lowers the loss, that a small batch can be learned by "
                    "heart, and that a saved model answers the same after loading."
                ),
                "Breck et al., The ML Test Score, IEEE Big Data 2017",
            ),
        ),
        commands=(ASSESS,),
        blind=("whether the tests pass: nothing here is executed",),
    ),
    "features": Topic(
        about=(
            "data.feature_code_shared",
            "data.no_copied_features",
            "data.feature_definitions",
            "data.feature_code_tested",
            "data.validated_when_served",
            "data.feature_importance",
            "data.freshness_checked",
        ),
        lead="One definition of each feature for training and serving, joined as of the instant of the prediction.",
        advice=(
            (
                (
                    "Log the features that were served and compare them with those recomputed for the "
                    "same keys and instants."
                ),
                "Zinkevich, Rules of Machine Learning, rules 29, 32 and 37",
            ),
            (
                "A feature store pays where several models share features that are expensive or have to be fresh.",
                "Kreuzberger, Kühl, Hirschl, Machine Learning Operations, IEEE Access 2023",
            ),
        ),
        commands=(ASSESS,),
        project=(step("mlwright features", "writes feature views to the store that endpoints look up"),),
        questions=("Which features have to be fresh to the minute, and which to the day?",),
        blind=("skew itself: that needs served features next to recomputed ones",),
    ),
    "retrain": Topic(
        about=(
            "pipeline.scheduled",
            "pipeline.triggered_by_data",
            "pipeline.defined",
            "model.staleness_studied",
            "model.quality_gate",
            "monitoring.model_age",
            "monitoring.prediction_quality",
            "monitoring.labels_joined",
            "running.trained_recently",
            "running.champion_fresh",
            "running.retrains_by_itself",
        ),
        lead=(
            "As often as the model loses more than you can afford: measure how a model of t weeks "
            "ago does on today's rows."
        ),
        advice=(
            (
                "Know the effect of staleness before you choose a cadence: evaluate older versions on newer data.",
                "Breck et al., The ML Test Score, IEEE Big Data 2017 (Model 4)",
            ),
            (
                (
                    "Retraining on recent rows adapts to a relation between inputs and label that "
                    "changed; find out that it did first."
                ),
                "Gama et al., A Survey on Concept Drift Adaptation, ACM Computing Surveys 2014",
            ),
        ),
        commands=(ASSESS,),
        project=(
            step(
                "mlwright retrain ENDPOINT --if-due",
                "trains only where a trigger asks for it and the gate decides",
            ),
            step("mlwright decisions ENDPOINT", "why it was or was not retrained before"),
        ),
        questions=("How fast do labels arrive?", "What does a week with a worse model cost?"),
        blind=("how fast this model loses quality: that needs its predictions and labels over time",),
    ),
    "track": Topic(
        about=(
            "model.runs_tracked",
            "model.registered",
            "data.versioned",
            "model.signature_recorded",
            "data.lineage",
            "code.versioned",
            "model.not_in_git",
            "data.not_in_git",
            "running.metrics_recorded",
            "running.params_recorded",
            "running.versions_*",
            "running.champion_named",
        ),
        lead=(
            "Every version should name the run that made it, and every run its commit, data, "
            "packages and metrics."
        ),
        advice=(
            (
                "Versioning data, model and code together is one of the principles that make operation possible.",
                "Kreuzberger, Kühl, Hirschl, Machine Learning Operations, IEEE Access 2023",
            ),
        ),
        commands=(ASSESS,),
        project=(
            step("mlwright runs", "the latest runs"),
            step("mlwright models", "versions and their aliases"),
            step("mlwright trace MODEL/VERSION", "what a version came from"),
        ),
        blind=("tracking servers and registries elsewhere: give one with mlwright assess . --mlflow URI",),
    ),
    "fairness": Topic(
        about=(
            "model.fairness_evaluated",
            "model.slices_evaluated",
            "data.personal_columns",
            "data.feature_policy",
            "governance.human_oversight",
            "governance.risk_register",
        ),
        lead="Whether it is fair cannot be read from files; what can be read is whether anybody measured it.",
        advice=(
            (
                "Several notions of fairness exclude one another: choose with those affected which error matters.",
                (
                    "Kleinberg, Mullainathan, Raghavan, Inherent Trade-Offs in the Fair Determination of "
                    "Risk Scores, ITCS 2017"
                ),
            ),
            (
                "Leaving a protected attribute out does not help where others stand for it; it is needed to measure.",
                "Barocas, Hardt, Narayanan, Fairness and Machine Learning, 2023",
            ),
        ),
        commands=(ASSESS,),
        questions=("Which groups are affected, and which error hurts them more: a wrong yes or a wrong no?",),
        blind=("the data and the predictions by group",),
    ),
    "tools": Topic(
        about=(
            "model.runs_tracked",
            "model.registered",
            "data.versioned",
            "pipeline.defined",
            "monitoring.drift",
            "data.contract",
        ),
        lead="Choose for the gap, not for the catalogue: what is there already comes first.",
        advice=(
            (
                "Each part that is not yours adds glue code; a mature system can be mostly glue.",
                "Sculley et al., Hidden Technical Debt in Machine Learning Systems, NeurIPS 2015",
            ),
        ),
        commands=(ASSESS,),
        questions=(
            "Which of the gaps costs you most time today?",
            "Who will operate a new program, also at night?",
        ),
        blind=("contracts, budgets and what the team knows",),
    ),
}
