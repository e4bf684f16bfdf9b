"""Ask model servers: as many requests at a time as is useful, each to the server with the fewest, again where it fails.

A connection that breaks, a 429 and a 5xx are tried again, later and later, for RETRY_SECONDS after the first failure.
Any other refusal is final, and so is the end of a server: whoever has started it notes that in its log at once.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.serving.logs import has_ended, last_error

REQUEST_SECONDS = 1800
RETRY_SECONDS = 120
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0  # seconds before the second try, and between later ones at most
POLL_SECONDS = 0.25
IN_FLIGHT = 4  # requests of a whole batch each: the server always has the next ones while an answer travels


class _Transient(Exception):
    """What another try may cure."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens and how it is asked; may be sent to the other processes of the job."""

    host: str
    port: int
    key: str = field(repr=False)
    log: Path  # what the server prints
    watch: Path  # log in which the rank that has started it notes its end

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class Client:
    """One rank's way to its servers. `sharing` ranks ask them, each with its part of the requests in flight."""

    def __init__(
        self, endpoints: Sequence[Endpoint], rank: int = 0, sharing: int = 1, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        start = rank % len(endpoints)  # ranks begin with different servers
        self._endpoints = [*endpoints[start:], *endpoints[:start]]
        self.limit = max(1, IN_FLIGHT * len(endpoints) // sharing)
        self._retry_seconds = retry_seconds
        self._in_flight = [0] * len(endpoints)
        self._lock, self._random = threading.Lock(), random.Random()  # not the generator that a resumed run repeats

    def ask_all(self, path: str, requests: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The answers in the order of the requests, `limit` at a time. Raises as `post` does."""
        with ThreadPoolExecutor(self.limit) as pool:
            yield from pool.map(lambda request: self.post(path, request), requests)

    def post(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to a JSON request. StageError names the log where there is none, or it is a refusal."""
        body, begun, wait, index = json.dumps(request).encode(), None, FIRST_WAIT, None
        while True:
            index = self._take(avoid=index)
            endpoint = self._endpoints[index]
            try:
                return _post(endpoint, path, body)
            except _Transient as failure:
                begun = begun or time.monotonic()
                left = begun + self._retry_seconds - time.monotonic()
                self._wait_to_retry(endpoint, min(left, wait * self._random.uniform(0.5, 1)), str(failure))
                wait = min(LONGEST_WAIT, 2 * wait)
            finally:  # after the wait: meanwhile others are asked first
                with self._lock:
                    self._in_flight[index] -= 1

    def _take(self, avoid: int | None) -> int:
        """The server with the fewest requests in flight, one more on it; of equals another one than `avoid`."""
        with self._lock:
            index = min(range(len(self._endpoints)), key=lambda index: (self._in_flight[index], index == avoid))
            self._in_flight[index] += 1
            return index

    def _wait_to_retry(self, endpoint: Endpoint, seconds: float, failure: str) -> None:
        """Raises StageError where the time for retries is over, and as soon as the server has ended."""
        until = time.monotonic() + seconds
        while True:
            if has_ended(endpoint.watch):
                raise StageError(f"model server has ended: {last_error(endpoint.log)}; log: {endpoint.log}")
            if seconds <= 0:
                raise StageError(
                    f"model server does not answer for {self._retry_seconds:g} s ({failure}): "
                    f"{last_error(endpoint.log)}; log: {endpoint.log}"
                )
            if time.monotonic() >= until:
                return
            time.sleep(min(POLL_SECONDS, max(0.0, until - time.monotonic())))


def _post(endpoint: Endpoint, path: str, body: bytes) -> dict[str, Any]:
    """One try. _Transient where another may help, StageError where the server refuses."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=REQUEST_SECONDS)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {endpoint.key}"}
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        status, answer = response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _Transient(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()
    text = answer.decode(errors="replace")
    if status == 429 or status >= 500:
        raise _Transient(f"status {status}: {text[:200]}")
    if status != 200:
        raise StageError(f"model server refuses {path} with status {status}: {text[:300]} (log: {endpoint.log})")
    return json.loads(text)


def healthy(host: str, port: int) -> bool:
    """Whether a server says that it can be asked."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
