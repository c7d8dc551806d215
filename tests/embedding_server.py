"""A server on this machine that speaks the embeddings API, and can throttle, fail, cut, and refuse a key."""

import base64
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

KEY = "sk-test-1234567890abcdef"
DIM = 8


def vector_of(text, dim=DIM):
    return np.random.default_rng(list(text.encode())).normal(size=dim).astype(np.float32)


@dataclass
class Api:
    """How the server behaves.

    Attributes:
        faults: for each of the next requests, a function that answers instead.
        requests: inputs and times of all requests that were answered properly.
        seen: number of all requests.
        tokens_per_text: what is told as usage; null: none is told.
    """

    faults: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    seen: int = 0
    busy: int = 0
    busiest: int = 0
    pause: float = 0.0
    tokens_per_text: int | None = 3
    dim: int = DIM
    shuffled: bool = False
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, handler, body):
        with self.lock:
            self.seen += 1
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            fault = self.faults.pop(0) if self.faults else None
        try:
            time.sleep(self.pause)
            if fault is not None:
                fault(handler)
            elif handler.headers.get("Authorization") != f"Bearer {KEY}":
                refuse(handler.headers.get("Authorization", "").removeprefix("Bearer "))(handler)
            else:
                self.embed(handler, body)
        finally:
            with self.lock:
                self.busy -= 1

    def embed(self, handler, body):
        texts = body["input"]
        with self.lock:
            self.requests.append(texts)
        data = []
        for index, text in enumerate(texts):
            vector = vector_of(text, self.dim)
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(vector.tobytes()).decode()
            else:
                vector = vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": vector})
        content = {"object": "list", "model": body["model"], "data": data[::-1] if self.shuffled else data}
        if self.tokens_per_text is not None:
            used = self.tokens_per_text * len(texts)
            content["usage"] = {"prompt_tokens": used, "total_tokens": used}
        send(handler, 200, content)

    def texts(self):
        return sorted(text for request in self.requests for text in request)


def send(handler, status, content, **headers):
    body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.send_header("Content-Type", "text/html" if isinstance(content, str) else "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def error(status, message, code=None, **headers):
    return lambda handler: send(handler, status, {"error": {"message": message, "type": "x", "code": code}}, **headers)


def refuse(key):
    return error(401, f"Incorrect API key provided: {key}. You can find your key elsewhere.", "invalid_api_key")


def cut(handler):
    """Close the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"object": "li')
    handler.wfile.flush()
    handler.connection.close()


def hang_up(handler):
    """Close the connection without an answer."""
    handler.connection.close()


@contextmanager
def serving(api):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.close_connection = True
            if self.path != "/v1/embeddings":
                send(self, 404, {"error": {"message": "no such path"}})
                return
            api.answer(self, body)

        def log_message(self, *_):
            pass

        def handle(self):
            with suppress(OSError, ValueError):  # of a connection that a test cut on purpose
                super().handle()

        def finish(self):
            with suppress(OSError, ValueError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
