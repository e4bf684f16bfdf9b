"""A small model server, a process of its own: what serving/ is tested with where no vLLM is.

`python -m tests.unit.serving.small_server HOST PORT`. Healthy at once; has a child, as vLLM has its engine. POST /echo
answers with the request, /seen with what the server sees of its surroundings, /fail/STATUS/COUNT with that status for
the first COUNT requests; 401 without the key.
"""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMAND = [sys.executable, "-m", "tests.unit.serving.small_server", "{host}", "{port}"]
SHOWN = ("CUDA_VISIBLE_DEVICES", "RANK", "WORLD_SIZE", "SLURMD_NODENAME", "SLURM_STEP_ID")


class Handler(BaseHTTPRequestHandler):
    failed = 0
    requests = 0
    at_once = most_at_once = 0

    def do_GET(self):
        self.answer(200, {})

    def do_POST(self):
        kind = type(self)
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer " + os.environ["VLLM_API_KEY"]:
            return self.answer(401, {"error": "Unauthorized"})
        kind.requests += 1
        kind.at_once += 1
        kind.most_at_once = max(kind.most_at_once, kind.at_once)
        time.sleep(request.get("seconds", 0))
        kind.at_once -= 1
        if self.path.startswith("/fail/"):
            status, count = (int(part) for part in self.path.split("/")[2:])
            if kind.failed < count:
                kind.failed += 1
                if status == 0:  # no answer at all
                    return self.connection.close()
                return self.answer(status, {"error": "not now"})
        if self.path == "/seen":
            shown = {name: os.environ.get(name) for name in SHOWN}
            return self.answer(200, shown | {"requests": kind.requests, "most_at_once": kind.most_at_once})
        return self.answer(200, request)

    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
    print("small server: listening", flush=True)
    subprocess.Popen(["sleep", "600"])
    server.serve_forever()
