"""Whether a string constant looks like a path of a file or an address."""

import re
from typing import Final

LONGEST: Final = 300

_KNOWN: Final = (
    "csv|tsv|parquet|jsonl?|ndjson|pkl|pickle|joblib|dill|pth?|ckpt|onnx|h5|hdf5|keras|npy|npz|txt|ya?ml|toml|db|sqlite3?"
    "|feather|arrow|orc|avro|xlsx?|zip|gz|tgz|bz2|xz|tar|safetensors|skops|bin|model|ubj|pmml|ini|cfg|conf|env|log|png"
    "|jpe?g|tiff?|wav|mp[34]|xml|html?|py|ipynb|sh|sql|md|proto|tfrecords?"
)
_LIKE: Final = re.compile(
    r"[a-z][a-z0-9+.-]{1,15}://\S+"
    r"|(?:/|~/|\.{1,2}/|[a-z]:[\\/]|\\\\)[^\s<>|\"*][^\n\t<>|\"]*"
    r"|(?:[\w.{}=@-]+/)+(?:[\w.{}=@ -]*\.[a-z]\w{0,8})?"
    r"|[\w{}-][\w.{}-]*/[\w.{}-]+/[\w./{}-]+"
    rf"|[\w{{}}-][\w .{{}}-]*\.(?:{_KNOWN})",
    re.IGNORECASE,
)
_MIME: Final = re.compile(r"(?:application|text|image|audio|video|multipart|font|model)/[\w.+*-]+\Z")


def looks_like_path(text: str) -> bool:
    """Whether this reads as a path or URL: ``data/train.csv``, ``/home/x``, ``C:\\data``, ``s3://bucket/key``."""
    if len(text) > LONGEST or len(text) < 3 or ("/" not in text and "." not in text and "\\" not in text):
        return False
    return _LIKE.fullmatch(text) is not None and _MIME.match(text) is None
