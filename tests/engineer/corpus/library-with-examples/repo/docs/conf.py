project = "wavelabels"
extensions = ["sphinx.ext.autodoc"]
