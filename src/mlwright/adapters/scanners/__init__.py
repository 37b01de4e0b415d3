"""Scanners that others keep, one file each. Nothing of a scanner is imported, or looked for, before it is asked."""

from mlwright.adapters.scanners.checkov import CheckovScanner
from mlwright.adapters.scanners.detect_secrets import DetectSecretsScanner
from mlwright.adapters.scanners.hadolint import HadolintScanner
from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.adapters.scanners.zizmor import ZizmorScanner
from mlwright.ports.scanner import Scanner


def scanners() -> tuple[Scanner, ...]:
    """One for each topic: secrets, pickles, dockerfiles, workflows, infrastructure."""
    return (
        DetectSecretsScanner(),
        PicklescanScanner(),
        HadolintScanner(),
        ZizmorScanner(),
        CheckovScanner(),
    )
