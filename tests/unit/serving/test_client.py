"""The client's patience: what it tries again, what it takes as final, and how it deals requests over servers."""

import time

import pytest

from tests.unit.serving.small_server import COMMAND
from workflow_scripts.artifacts import StageError
from workflow_scripts.serving import Client, Server
from workflow_scripts.serving import client as client_module


@pytest.fixture
def server(tmp_path):
    with Server.start(COMMAND, tmp_path / "server.log", seconds=30) as running:
        yield running


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two servers of one host."""
    monkeypatch.setenv("SERVING_DEVICES", "0,1")
    with Server.start(COMMAND, tmp_path / "server.log", seconds=30) as running:
        yield running


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_passing_trouble_is_tried_again(server, status):
    """0: the connection breaks."""
    client, begun = Client(server.endpoints), time.monotonic()
    assert client.post(f"/fail/{status}/2", {"a": 1}) == {"a": 1}
    assert 0.25 + 0.5 <= time.monotonic() - begun < 10
    assert client.post("/seen", {})["requests"] == 4


def test_waits_grow_up_to_a_bound_and_are_never_the_same(server, monkeypatch):
    waits = []
    monkeypatch.setattr(Client, "_wait_to_retry", lambda self, endpoint, seconds, failure: waits.append(seconds))
    Client(server.endpoints).post("/fail/503/9", {})
    shares = [wait / min(0.5 * 2**number, 10) for number, wait in enumerate(waits)]
    assert len(waits) == 9 and all(0.5 <= share <= 1 for share in shares) and len(set(shares)) == 9


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_is_final(server, status):
    client = Client(server.endpoints)
    with pytest.raises(StageError, match=rf"refuses /fail/{status}/1 with status {status}: .*server\.log"):
        client.post(f"/fail/{status}/1", {})
    assert client.post("/seen", {})["requests"] == 2


def test_the_deadline_for_retries_names_the_log(server):
    begun = time.monotonic()
    with pytest.raises(
        StageError, match=r"does not answer for 2 s \(status 503.*\): small server: listening; log: .*server\.log"
    ):
        Client(server.endpoints, retry_seconds=2).post("/fail/503/100", {})
    assert 1.5 < time.monotonic() - begun < 6


def test_requests_in_flight_are_bounded_over_all_ranks(server):
    requests = [{"number": number, "seconds": 0.05} for number in range(24)]
    clients = [Client(server.endpoints, rank, sharing=2) for rank in range(2)]
    assert all(client.limit == client_module.IN_FLIGHT // 2 for client in clients)
    assert Client(server.endpoints, 5, sharing=64).limit == 1
    assert list(clients[0].ask_all("/echo", requests)) == requests
    assert clients[0].post("/seen", {})["most_at_once"] == client_module.IN_FLIGHT // 2


def test_requests_go_to_the_server_with_the_fewest(pair):
    client = Client(pair.endpoints)
    list(client.ask_all("/echo", [{"seconds": 0.5}] * 2 * client_module.IN_FLIGHT))
    seen = [Client([endpoint]).post("/seen", {}) for endpoint in pair.endpoints]
    assert [server["most_at_once"] for server in seen] == [client_module.IN_FLIGHT] * 2
    assert [Client(pair.endpoints, rank)._endpoints[0] for rank in range(2)] == pair.endpoints  # ranks begin apart


def test_what_one_server_fails_the_other_is_asked(pair):
    """Each fails once: the first, the second, then the first again."""
    assert Client(pair.endpoints).post("/fail/500/1", {"a": 1}) == {"a": 1}
    assert [Client([endpoint]).post("/seen", {})["requests"] for endpoint in pair.endpoints] == [2 + 1, 1 + 1]
