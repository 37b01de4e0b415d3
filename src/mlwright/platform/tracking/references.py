"""Which blobs something in the database still names.

Every text of every table is looked through, whichever stage the table is of and whatever the text means: a digest in a
place that nobody thought of costs disk space, one that was overlooked would cost somebody's model. Only the account of
what happened does not count, as it names what was there once.
"""

import re
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Text, cast, column, inspect, select, table
from sqlalchemy.types import JSON, String

from mlwright.model.ids import Digest

_DIGEST: Final = re.compile(r"blake3:[0-9a-f]{64}")
_ACCOUNT: Final = "ledger_"
_PLAIN: Final = frozenset({"tracking_artifacts"})
"""Tables whose digests are of files, and never of folders: there may be very many."""


def digests_in_use(tx: Connection, files_of: Callable[[Digest], frozenset[Digest]]) -> set[Digest]:
    """All digests that are named, and the blobs of the folders among them.

    Args:
        tx: any transaction.
        files_of: the blobs of a stored folder.
    """
    folders: set[Digest] = set()
    plain: set[Digest] = set()
    for name in inspect(tx).get_table_names():
        if not name.startswith(_ACCOUNT):
            (plain if name in _PLAIN else folders).update(_named_in(tx, name))
    return plain.union(folders, *map(files_of, folders))


def _named_in(tx: Connection, name: str) -> set[Digest]:
    found: set[Digest] = set()
    for each in inspect(tx).get_columns(name):
        if isinstance(each["type"], String | JSON):
            text = cast(column(each["name"]), Text)
            wanted = select(text).select_from(table(name)).where(text.contains("blake3:"))
            for value in tx.scalars(wanted.execution_options(yield_per=1000)):
                found.update(map(Digest, _DIGEST.findall(value)))
    return found
