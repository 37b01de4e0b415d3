"""Running models: one module or two a library, over the same reading of MLflow Model folders."""
