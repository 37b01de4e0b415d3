"""The one place that knows which engine fills which port: a project's platform, and the engineer."""


def __getattr__(name: str):  # TRANSITIONAL, removed after integration
    from mlwright.wiring import project

    return getattr(project, name)
