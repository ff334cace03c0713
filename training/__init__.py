"""Token datasets to models, evaluations and predictions. Importing it starts nothing and needs no Ray.

`load(path)` gives a trained bundle back.
"""

from training.bundle import Bundle, load

__all__ = ["Bundle", "load"]
