from wavelabels.detector import Detector

__all__ = ["Detector"]
