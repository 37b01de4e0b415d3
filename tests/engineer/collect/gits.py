"""Small git repositories made without git."""

from collections.abc import Mapping
from pathlib import Path

from dulwich.index import Index, IndexEntry
from dulwich.objects import Blob, Commit, Tag, Tree
from dulwich.repo import Repo

START = 1_700_000_000


def ascii_start(text: str) -> str:
    """The first characters of a text, to name a test case."""
    return ascii(text[:12])


class Repository:
    """A repository whose commits hold exactly the files that they are given."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.repo = Repo.init(str(root))
        self.count = 0

    def commit(
        self,
        files: Mapping[str, bytes],
        *,
        parents: tuple[bytes, ...] | None = None,
        author: str = "a",
        branch: str = "main",
    ) -> bytes:
        """Write files, index them and commit them; the hexadecimal name of the commit."""
        index: dict[bytes, IndexEntry] = {}
        tree: dict[str, object] = {}
        for path, content in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            blob = Blob.from_string(content)
            self.repo.object_store.add_object(blob)
            *folders, name = path.split("/")
            here = tree
            for folder in folders:
                here = here.setdefault(folder, {})  # type: ignore[assignment]
            here[name] = blob.id
            index[path.encode()] = IndexEntry(0, 0, 0, 0, 0o100644, 0, 0, len(content), blob.id)
        opened = Index(str(self.root / ".git" / "index"))
        opened.clear()
        for key, entry in sorted(index.items()):
            opened[key] = entry
        opened.write()
        ref = f"refs/heads/{branch}".encode()
        if parents is None:
            parents = (self.repo.refs[ref],) if ref in self.repo.refs else ()
        made = Commit()
        made.tree = self._tree(tree)
        made.parents = list(parents)
        made.author = f"A <{author}@h.example>".encode()
        made.committer = b"C <c@h.example>"
        made.author_time = made.commit_time = START + 60 * self.count
        made.author_timezone = made.commit_timezone = 0
        made.message = b"m%d" % self.count
        self.count += 1
        self.repo.object_store.add_object(made)
        self.repo.refs[ref] = made.id
        self.repo.refs.set_symbolic_ref(b"HEAD", ref)
        return bytes(made.id)

    def pack(self) -> None:
        """Put all objects into a pack."""
        self.repo.object_store.pack_loose_objects()

    def close(self) -> None:
        """Let go of its files."""
        self.repo.object_store.close()
        self.repo.close()

    def _tree(self, files: Mapping[str, object]) -> bytes:
        tree = Tree()
        for name, value in files.items():
            if isinstance(value, dict):
                tree.add(name.encode(), 0o40000, self._tree(value))
            else:
                tree.add(name.encode(), 0o100644, value)
        self.repo.object_store.add_object(tree)
        return bytes(tree.id)

    def tag(self, name: str, target: bytes, *, annotated: bool) -> None:
        """Name a commit."""
        if annotated:
            made = Tag()
            made.object = (Commit, target)
            made.name = name.encode()
            made.message = b"t"
            made.tagger = b"A <a@h.example>"
            made.tag_time, made.tag_timezone = START, 0
            self.repo.object_store.add_object(made)
            target = bytes(made.id)
        self.repo.refs[f"refs/tags/{name}".encode()] = target
