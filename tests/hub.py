"""A hub on loopback: the part of the Hugging Face API that a download uses, with what goes wrong there on demand."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".bin")  # files that a hub keeps as LFS objects
TOKEN = "hf_" + "NotARealTokenOfAnybody"  # split, so that no scanner of secrets takes it for one
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repo:
    """Files by name at one commit; `private` and `gated` ones want TOKEN."""

    files: dict[str, bytes]
    revision: str = REVISION
    private: bool = False
    gated: bool = False


@dataclass
class Hub:
    """What is served, what was asked, and faults: `cut`: file -> bytes after which its next transfer breaks off."""

    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    forged: dict[str, bytes] = field(default_factory=dict)  # file -> bytes sent in place of those that are listed
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, Range
    tokens: set[str | None] = field(default_factory=set)
    in_command_lines: set[str] = field(default_factory=set)  # processes that showed TOKEN while a request was served
    stalled: threading.Event = field(default_factory=threading.Event)  # set once a transfer was cut
    url: str = ""

    def add(self, kind: str, name: str, files: dict[str, bytes], **options) -> Repo:
        self.repos[kind, name] = Repo(files, **options)
        return self.repos[kind, name]

    def add_folder(self, kind: str, name: str, folder: Path) -> Repo:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return self.add(kind, name, files)

    def transfers(self, file: str) -> list[str | None]:
        """The ranges that were asked of a file's bytes."""
        return [ranged for method, path, ranged in self.asked if method == "GET" and path.endswith("/" + file)]


@contextmanager
def serving(hub: Hub):
    """Serve the hub on a free port of loopback; its `url` is what HF_ENDPOINT has to be."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_) -> None:
        pass

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, self.headers.get("Range")))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.hub.tokens.add(token)
        self.hub.in_command_lines |= _showing(TOKEN)
        listing = re.fullmatch(r"/api/(model|dataset)s/(.+)/revision/(\w+)", path)
        resolve = re.fullmatch(r"/(datasets/)?(.+?)/resolve/(\w+)/(.+)", path)
        if listing:
            kind, name, revision = listing.groups()
        elif resolve:
            kind, name, revision = "dataset" if resolve[1] else "model", resolve[2], resolve[3]
        else:
            return self._refuse(404, "RepoNotFound")
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and token != TOKEN):
            return self._refuse(401, "RepoNotFound")
        if revision != repo.revision:
            return self._refuse(404, "RevisionNotFound")
        if listing:
            return self._send(json.dumps(self._listing(name, repo)).encode(), {"Content-Type": "application/json"})
        if repo.gated and token != TOKEN:
            return self._refuse(403 if token else 401, "GatedRepo")
        self._file(repo, resolve[4])

    def _listing(self, name: str, repo: Repo) -> dict:
        files = []
        for file, content in repo.files.items():
            entry = {"rfilename": file, "size": len(content), "blobId": _blob(content)}
            if file.endswith(LARGE):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            files.append(entry)
        return {"id": name, "sha": repo.revision, "private": repo.private, "gated": repo.gated, "siblings": files}

    def _file(self, repo: Repo, name: str) -> None:
        content = self.hub.forged.get(name, repo.files[name])
        etag = hashlib.sha256(repo.files[name]).hexdigest() if name.endswith(LARGE) else _blob(repo.files[name])
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": repo.revision, "Accept-Ranges": "bytes"}
        begin = int(re.match(r"bytes=(\d+)-", self.headers.get("Range") or "bytes=0-")[1])
        status = 206 if begin else 200
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._send(content[begin:], headers, status, self.hub.cut.pop(name, None) if self.command == "GET" else None)

    def _refuse(self, status: int, code: str) -> None:
        message = f"{code} at https://cdn.example/?Signature=abc"
        self._send(b"", {"X-Error-Code": code, "X-Error-Message": message}, status)

    def _send(self, body: bytes, headers: dict[str, str], status: int = 200, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        if cut is not None:  # the line hangs until its reader has gone
            self.wfile.flush()
            self.hub.stalled.set()
            self.connection.settimeout(60)
            with suppress(OSError):
                self.connection.recv(1)


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _showing(secret: str) -> set[str]:
    """Command lines of this machine's processes that hold the secret."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if secret in line:
            found.add(line)
    return found
