"""What a user is told when a model hub refuses: a local server answers as the hub does, in a process of its own."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

REVISION = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"
REFUSALS = {
    "wrong-revision": (404, "RevisionNotFound"),
    "gated": (403, "GatedRepo"),
    "expired-token": (401, "RepoNotFound"),
    "no-weights": (404, "EntryNotFound"),
}
KINDS = {"sentence_transformer": {"sha256": "0" * 64}, "llm2vec": {"dim": 8}}
LOADING = f"""
import sys
from smec import backbones
from smec.errors import SmecError
for name in sys.argv[2:]:
    values = {{"kind": sys.argv[1], "model": "nobody/" + name, "revision": "{REVISION}", **{KINDS}[sys.argv[1]]}}
    try:
        backbones.load(backbones.parse(values))
    except SmecError as error:
        print(name, error)
"""


@contextmanager
def hub():
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            named = [part for part in self.path.split("/") if part in REFUSALS]
            status, code = REFUSALS[named[0]] if named else (404, "EntryNotFound")
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(endpoint, home, kind, *names):
    """What loading each model says, by its name."""
    hidden = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    variables = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", LOADING, kind, *names]
    done = subprocess.run(command, env=hidden | variables, capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@pytest.fixture(scope="module", params=KINDS)
def refused(request, tmp_path_factory):
    with hub() as endpoint:
        return told(endpoint, tmp_path_factory.mktemp("home"), request.param, *REFUSALS)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("wrong-revision", "It has no such revision: correct `revision`"),
        ("gated", "It asks for consent: give it on the model's page, and set HF_TOKEN"),
        ("expired-token", "correct the id, or HF_TOKEN, which may be missing or expired"),
        ("no-weights", "A file of it is missing there"),
    ],
)
def test_a_refusal_of_the_hub_says_what_to_do(refused, name, advice):
    assert refused[name].startswith(f"The model 'nobody/{name}' at revision {REVISION} could not be loaded")
    assert advice in refused[name]


def test_a_hub_that_cannot_be_reached_is_told(tmp_path):
    message = told("http://127.0.0.1:9", tmp_path, "sentence_transformer", "far-away")["far-away"]
    assert "The hub cannot be reached: check the network and the proxy." in message
