"""Hidden technical debt: each item holds where the debt is not seen."""

from typing import Final

from mlwright.engineer.rubrics.scales import count
from mlwright.engineer.rubrics.shape import Chapter, Rubric, check

TECHNICAL_DEBT: Final = Rubric(
    id="technical-debt",
    title="Hidden technical debt",
    source="Sculley et al.: Hidden Technical Debt in Machine Learning Systems, NIPS 2015",
    chapters=(
        Chapter(
            title="Boundaries",
            checks=(
                check(
                    "entanglement",
                    "no model feeds on another without naming its version",
                    "name the version of the model whose output is a feature",
                    executable="model.simple_composition",
                ),
                check(
                    "undeclared-consumers",
                    "who uses the predictions is declared",
                    "list the consumers, and let only them in",
                    executable="governance.consumers_declared",
                ),
            ),
        ),
        Chapter(
            title="Data dependencies",
            checks=(
                check(
                    "unstable",
                    "data comes from versions, not from what is latest",
                    "name the data's version, and read no moving target",
                    executable="data.versioned + data.source_pinned",
                ),
                check(
                    "underutilized",
                    "features that give little are known",
                    "measure what each feature is worth, and drop what is not",
                    executable="data.feature_importance",
                ),
                check(
                    "data-tests",
                    "data is tested as code is",
                    "check the data contract on the training path",
                    executable="data.validation_runs",
                ),
            ),
        ),
        Chapter(
            title="Feedback loops",
            checks=(
                check(
                    "feedback",
                    "predictions do not train themselves",
                    "keep some traffic free of the model, or log propensities",
                    executable="data.feedback_loop_guarded",
                ),
            ),
        ),
        Chapter(
            title="Anti-patterns",
            checks=(
                check(
                    "pipeline-jungle",
                    "training is modules, not one long script",
                    "split the script into functions",
                    executable="pipeline.modular",
                ),
                check(
                    "copied-features",
                    "no feature code is written twice",
                    "share the function between training and serving",
                    executable="data.no_copied_features",
                ),
                check(
                    "dead-paths",
                    "no dead experiments lie about",
                    "delete copies and old versions: git keeps them",
                    executable="model.no_dead_ends",
                ),
                check(
                    "languages",
                    "few languages serve",
                    "move the serving path to one language",
                    executable="code.few_languages",
                ),
                check(
                    "prototype",
                    "no notebook runs in production",
                    "move the notebook's code to a module",
                    executable="notebook.not_production",
                ),
            ),
        ),
        Chapter(
            title="Configuration, thresholds, monitoring",
            checks=(
                check(
                    "configuration",
                    "settings stand apart and are validated",
                    "read settings from a file into a typed schema",
                    executable="model.settings_apart + model.settings_validated",
                ),
                check(
                    "reproducibility",
                    "a training can be repeated",
                    "lock dependencies, and seed every source of chance",
                    executable="dependencies.locked + model.seeded",
                ),
                check(
                    "fixed-thresholds",
                    "decision thresholds come from a calibration, not from a literal",
                    "keep thresholds with the model, and recompute them with it",
                    executable="monitoring.fixed_thresholds",
                ),
                check(
                    "prediction-bias",
                    "predictions are compared with labels",
                    "compute realised quality on a schedule",
                    executable="monitoring.prediction_quality",
                    executed="running.quality_evaluated",
                ),
                check(
                    "upstream",
                    "upstream producers are watched",
                    "check the freshness of sources",
                    executable="data.freshness_checked",
                ),
            ),
        ),
    ),
    read=count,
    note="Seen from files. Entangled features and hidden loops often show in experiments alone.",
)
