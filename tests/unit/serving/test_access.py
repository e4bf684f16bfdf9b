"""What vLLM answers without a key, its servers here do not."""

import asyncio

import pytest

from workflow_scripts.serving.access import RequireKey


async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})


def status(monkeypatch, path: str, kind: str = "http", key: str | None = None) -> int:
    monkeypatch.setenv("VLLM_API_KEY", "right")
    sent = []

    async def send(message):
        sent.append(message)

    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    asyncio.run(RequireKey(application)({"type": kind, "path": path, "headers": headers}, None, send))
    return sent[0].get("status") or sent[0]["code"]


@pytest.mark.parametrize("path", ["/invocations", "/v1/completions", "/tokenize", "/health/../invocations", "/"])
def test_every_path_but_the_health_check_asks_for_the_key(monkeypatch, path):
    assert [status(monkeypatch, path, key=key) for key in (None, "", "wrong", "right")] == [401, 401, 401, 200]
    assert status(monkeypatch, path, kind="websocket") == 1008
    assert status(monkeypatch, "/health") == 200
