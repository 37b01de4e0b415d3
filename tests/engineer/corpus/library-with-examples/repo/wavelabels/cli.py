"""The command line."""

import json

import click
import numpy as np
from scipy.io import wavfile

from wavelabels import Detector


@click.group()
def main() -> None:
    """Find events in recordings."""


@main.command()
@click.argument("path", type=click.Path(exists=True))
@click.option("--examples", type=click.Path(exists=True), required=True, help="JSON of paths and labels to learn from")
def label(path: str, examples: str) -> None:
    """Print whether PATH holds an event."""
    with open(examples) as file:
        pairs = json.load(file)
    detector = Detector().fit([wavfile.read(each["path"])[1] for each in pairs], [each["label"] for each in pairs])
    print(bool(np.any(detector.predict([wavfile.read(path)[1]]))))
