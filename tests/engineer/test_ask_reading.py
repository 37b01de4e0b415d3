"""How questions are read: what people type, misspelt too, what is close to something else, and what is none of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.engineer.asking.intents import BY_ID, INTENTS
from mlwright.engineer.asking.reading import ENGLISH_ONLY, read
from mlwright.engineer.asking.words import corrected, stem, tokens

IDS = ("data.contract", "dependencies.locked", "model.too_good", "release.canary")

MEANT = {
    "pipeline": [
        "I need a training pipeline for our recommendation model",
        "i need a trainig pipline for our recomender",
        "we want to automate our training on a schedule",
        "Airflow or Dagster for training?",
        "Help me build an orchestrated workflow that trains the churn model every night",
        "turn this notebook into a pipeline",
    ],
    "deploy": [
        "How should I deploy this PyTorch model for real-time predictions?",
        "how do i depoly this model",
        "We want to serve our XGBoost model behind a REST API",
        "what's the best way to expose the model as an endpoint?",
        "Deploying to KServe or Triton?",
        "batch predictions or real time serving?",
        "How can the mobile app get predictions? we need an inference endpoint",
        "how to put this model in production",
    ],
    "next": [
        "My model is trained and performs well, what's next?",
        "model is trained, whats nxt",
        "We finished training. What now?",
        "What are the next steps?",
        "the model works well in the notebook, now what?",
        "Where do I start? What should we do first?",
    ],
    "decay": [
        "Our model's accuracy has been degrading for weeks",
        "acuracy is droping since march",
        "The model gets worse and worse, why?",
        "precision fell after the summer",
        "predictions are no longer accurate",
        "diagnose the decline in AUC",
        "conversion quality is going down",
        "Why did performance degrade last month?",
    ],
    "score": [
        "is this production ready?",
        "How mature is our MLOps?",
        "what is our ML test score",
        "Rate this repository",
        "assess this repo please",
        "how good is our setup? where are the gaps?",
    ],
    "reproduce": [
        "how can I reproduce the run from last week?",
        "training is not reproducable",
        "I get different results every time I train with the same data",
        "is the training deterministic?",
    ],
    "cost": [
        "how much does it cost to serve this?",
        "what size of instance do I need",
        "our GPU bill is too high",
        "how many replicas for 500 requests per second",
        "are we paying for idle endpoints?",
    ],
    "rollback": [
        "the new model is bad, roll it back",
        "roll back now!",
        "rollbak to the previous version please",
        "We have an outage, how do we revert?",
        "how do I go back to the old model",
        "the model we released yesterday is broken, undo it",
    ],
    "noise": [
        "drift alerts fire every day and nobody reads them",
        "too many alarms",
        "we have alert fatigue",
        "evidently says drift but accuracy is fine, is that a false alarm?",
    ],
    "compliance": [
        "are we compliant with the EU AI act",
        "what must be documented for the regulator?",
        "GDPR?",
        "we need a model card for the auditors",
    ],
    "security": [
        "is our deployment secure?",
        "did we commit secrets?",
        "is loading pickles a vulnerability",
        "securty review please",
    ],
    "data": [
        "how do we catch bad data",
        "validate the input data before training",
        "should we have data contracts?",
        "our data quality is poor, lots of missing values",
    ],
    "leak": [
        "do we have leakage?",
        "accuracy is 99.9%, too good to be true?",
        "is my train/test split correct",
        "am I overfitting to the test set",
        "can I trust the score",
    ],
    "tests": [
        "what unit tests should we write",
        "how is our test coverage?",
        "set up CI with pytest",
    ],
    "monitoring": [
        "how do we monitor this in production?",
        "set up monitring with prometheus and grafana",
        "what should we put on the dashboard",
        "how would we notice that the model goes wrong",
    ],
    "explain": [
        "explain dependencies.locked",
        "why is release.canary red?",
        "what does model.too_good mean?",
        "data.contract",
    ],
    "compare": [
        "compare run 01JZ with run 01JY",
        "which run was better",
        "what's the difference between the last two runs?",
    ],
    "tools": [
        "which tool should we use?",
        "what stack do you recommend for mlops",
        "which tools do we have to buy",
    ],
    "retrain": [
        "how often should I retrain the model",
        "when do we need retraining?",
        "do we need continuous training",
        "retrian automatically?",
    ],
    "track": [
        "do we need a model registry",
        "how to track experiments",
        "how should we version data",
    ],
    "release": [
        "how do we roll out a new version",
        "canary or blue-green?",
        "should we A/B test the challenger",
        "shadow traffic for the new model",
    ],
    "fairness": [
        "is it fair?",
        "is the model biased by gender",
        "does it discriminate against older applicants",
    ],
    "slow": [
        "predictions are slow",
        "p99 latency is too high",
        "the endpoint times out under load, make it faster",
    ],
    "features": [
        "do we need a feature store",
        "how to avoid training/serving skew",
        "point in time joins for features?",
    ],
}  # fmt: skip

ASKED = [(intent, question) for intent, questions in MEANT.items() for question in questions]

NOT_OURS = [
    "",
    "?",
    "hello",
    "what is the weather in Oslo",
    "who won the match",
    "write me a poem about winter",
    "model",
    "42",
    "what time is it",
    "book a table for dinner",
    "SELECT * FROM users",
]


def test_there_are_enough_phrasings_and_each_intent_has_some() -> None:
    assert len(ASKED) >= 100
    assert set(MEANT) == set(BY_ID)


@pytest.mark.parametrize(("intent", "question"), ASKED)
def test_is_read_as_meant(intent: str, question: str) -> None:
    found = read(question, IDS)
    assert (found.intent, found.sure) == (intent, True), found
    assert found.why
    assert intent not in {other.intent for other in found.others}


@pytest.mark.parametrize(
    ("intent", "example"), [(each.id, example) for each in INTENTS for example in each.examples]
)
def test_every_example_that_we_show_is_read_as_its_own(intent: str, example: str) -> None:
    assert read(example, IDS).intent == intent


@pytest.mark.parametrize("question", NOT_OURS)
def test_what_is_none_of_ours_is_asked_back(question: str) -> None:
    found = read(question, IDS)
    assert (found.intent, found.sure) == ("", False)
    assert len(found.others) == 3
    assert "English only" in found.note


@pytest.mark.parametrize(
    ("question", "either"),
    [
        ("monitoring and fairness", {"monitoring", "fairness"}),
        ("canary and retrain", {"release", "retrain"}),
        ("fair and slow", {"fairness", "slow"}),
    ],
)
def test_two_questions_in_one_are_asked_back_with_both(question: str, either: set[str]) -> None:
    found = read(question)
    assert not found.sure
    assert either <= {other.intent for other in found.others}
    assert "as well mean" in found.note


@pytest.mark.parametrize(
    ("one", "intent", "other", "intent_of_other"),
    [
        ("how do I deploy the pipeline's model", "deploy", "I need a training pipeline", "pipeline"),
        ("drift alerts are noise", "noise", "how do we detect drift and set up monitoring", "monitoring"),
        ("is there a data leak", "leak", "did we leak secrets", "security"),
        ("roll back the new version", "rollback", "roll out the new version", "release"),
        ("what is our ML test score", "score", "what tests do we have", "tests"),
        ("accuracy is falling", "decay", "accuracy is too good", "leak"),
        ("the endpoint got slow", "slow", "the endpoint got expensive", "cost"),
        ("version the data", "track", "validate the data", "data"),
        ("retrain the model on a schedule", "retrain", "automate training on a schedule", "pipeline"),
        (
            "compare champion and challenger on live traffic",
            "release",
            "compare the last two runs",
            "compare",
        ),
    ],
)
def test_pairs_that_are_easily_confused(one: str, intent: str, other: str, intent_of_other: str) -> None:
    assert [read(one).intent, read(other).intent] == [intent, intent_of_other]


@pytest.mark.parametrize(
    "question",
    [
        "Wie kann ich mein Modell auf dem Server betreiben?",
        "comment est-ce que je surveille le modele avec notre equipe",
        "por que la precision de nuestro modelo baja",
    ],
)
def test_other_languages_are_told_so(question: str) -> None:
    found = read(question)
    assert not found.sure
    assert ENGLISH_ONLY in found.note


def test_a_misspelt_word_is_shown_as_what_it_was_taken_for() -> None:
    assert "depoly (read as deploy)" in read("depoly the model").why


def test_an_ordinary_word_is_no_misspelling() -> None:
    vocabulary = {"train", "price", "fair", "load"}
    assert corrected("hair", vocabulary) is None
    assert corrected("trian", vocabulary) == "train"
    assert corrected("their", vocabulary) is None
    assert corrected("prise", vocabulary) is None or corrected("prise", vocabulary) == "pric"


def test_a_word_with_two_nearest_corrections_is_left_alone() -> None:
    assert corrected("cartt", {"carts", "cartx"}) is None


def test_words_of_one_family_have_one_stem() -> None:
    assert len({stem(each) for each in ("deploy", "deploys", "deployed", "deploying", "deployment")}) == 1
    assert len({stem(each) for each in ("retrain", "retrained", "retraining")}) == 1


def test_tokens_fold_accents_and_keep_dotted_names() -> None:
    assert tokens("What's the Überblick of data.contract? A/B") == (
        "whats",
        "the",
        "uberblick",
        "of",
        "data.contract",
        "ab",
    )


@given(st.text(max_size=300))
def test_any_text_is_read_and_read_the_same_again(question: str) -> None:
    found = read(question, IDS)
    assert found == read(question, IDS)
    assert found.sure == bool(found.intent)


def test_a_very_long_question_takes_no_long_time() -> None:
    assert read("monitor " * 200_000).intent == "monitoring"
