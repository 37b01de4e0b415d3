"""Whether a process has what it was started for."""

from mlwright.errors import ModelLoadFailed
from mlwright.stages.serving.host import InferenceHost


def require_served(host: InferenceHost) -> None:
    """Read the routes, load every model, and refuse to go on where one of them cannot be served.

    Raises:
        ModelLoadFailed: as :meth:`InferenceHost.status` words it.
        MlwrightError: the routes could not be read.
    """
    host.refresh()
    for name in host.cores:
        status = host.status(name)
        if not status.serving:
            host.close()
            raise ModelLoadFailed(
                f"endpoint {name!r} cannot be served", why=status.reason, next_command=status.next_command
            )
