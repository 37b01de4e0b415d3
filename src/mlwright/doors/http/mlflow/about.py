"""What the server says about itself: health, version, what it can, and a page for whoever opens its address."""

from html import escape
from typing import Final

from mlwright import __version__
from mlwright.doors.http.mlflow.encoding import encode
from mlwright.doors.http.mlflow.table import CallTable

PROTOCOL_VERSION: Final = "3.17.2"
"""The release of MLflow whose protocol is spoken; clients ask before they use what is newer."""

SERVER_INFO: Final = "3.0/mlflow/server-info"

_PRESIGNED: Final = "/api/2.0/mlflow/artifacts/presigned-upload-url"


def server_info(table: CallTable) -> bytes:
    """What clients look at before they choose how to upload: only what the table offers is announced."""
    return encode(
        {
            "store_type": "SqlStore",
            "workspaces_enabled": False,
            "trace_archival_enabled": False,
            # Parts are taken from clients that are told to send them. One stream is faster: parts are joined here.
            "multipart_uploads_enabled": False,
            # Our files are sent by this server, whole or in ranges: another address for each would gain nothing.
            "multipart_downloads_enabled": False,
            "presigned_upload_run_id_supported": table.offers(_PRESIGNED),
            "presigned_upload_model_id_supported": table.offers(_PRESIGNED),
            "features_enabled": {"gateway": False},
        }
    )


def front_page(host: str) -> bytes:
    """What stands at ``/`` where no pages are served."""
    address = escape(f"http://{host}")
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mlwright tracking</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
pre {{ padding: .75rem; background: #8882; overflow-x: auto }}</style>
<h1>mlwright tracking</h1>
<p>Experiments, runs, models and their artifacts, over the MLflow protocol {PROTOCOL_VERSION}.
Programs that use MLflow need one line:</p>
<pre>export MLFLOW_TRACKING_URI={address}</pre>
<p>mlwright {escape(__version__)}. The pages of a project are served by <code>mlwright up</code>.</p>
</html>
""".encode()
