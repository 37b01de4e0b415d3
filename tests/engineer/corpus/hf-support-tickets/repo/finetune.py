"""Fine-tune a language model on support tickets."""

import argparse

import evaluate
import numpy as np
from datasets import load_dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    EarlyStoppingCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

BASE = "acme/distilbert-tickets"
REVISION = "9c169103d7e5a73936dd2b627e42851bec0831da"


def compute_metrics(answer):
    scores, labels = answer
    guesses = np.argmax(scores, axis=-1)
    return evaluate.load("f1").compute(predictions=guesses, references=labels, average="macro")


def main(epochs: int) -> None:
    set_seed(42)
    tickets = load_dataset("acme/tickets", revision="4f1c9d2")
    tokenizer = AutoTokenizer.from_pretrained(BASE, revision=REVISION)
    model = AutoModelForSequenceClassification.from_pretrained(
        BASE, revision=REVISION, num_labels=12, trust_remote_code=True
    )
    encoded = tickets.map(lambda rows: tokenizer(rows["text"], truncation=True), batched=True)
    arguments = TrainingArguments(
        output_dir="out",
        num_train_epochs=epochs,
        learning_rate=2e-5,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        report_to="wandb",
        seed=42,
        max_grad_norm=1.0,
        push_to_hub=True,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=encoded["train"],
        eval_dataset=encoded["validation"],
        processing_class=tokenizer,
        compute_metrics=compute_metrics,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
    )
    trainer.train()
    print(trainer.evaluate(encoded["test"], metric_key_prefix="test"))
    trainer.push_to_hub()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    main(parser.parse_args().epochs)
