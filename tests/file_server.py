"""A web server on this machine that hands out files and can be told to cut, fail, or ignore ranges."""

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Files:
    """What the server has and how it behaves.

    Attributes:
        contents: bytes by path.
        cuts: for each of the next answers, after how many bytes of the body the connection is closed.
        statuses: for each of the next answers, an error status instead of the file.
        ranges: whether a wish for a part is granted.
        requested: path and start of every request.
    """

    contents: dict = field(default_factory=dict)
    cuts: list = field(default_factory=list)
    statuses: list = field(default_factory=list)
    ranges: bool = True
    requested: list = field(default_factory=list)
    url: str = ""

    def answer(self, handler):
        found = re.match(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(found[1]) if found and self.ranges else 0
        self.requested.append((handler.path, start))
        body = self.contents.get(handler.path)
        status = self.statuses.pop(0) if self.statuses else 404 if body is None else 200
        if status >= 400 or start >= len(body):
            handler.send_error(status if status >= 400 else 416)
            return
        handler.send_response(206 if start else 200)
        rest = body[start:]
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(rest[: self.cuts.pop(0)] if self.cuts else rest)


@contextmanager
def serving(files):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            files.answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
