"""The key for every path but the health check: vLLM 0.32 asks for it on some only, and not on /invocations."""

import hmac
import os
from collections.abc import Callable
from typing import Any

PUBLIC = ("/health",)


class RequireKey:
    """ASGI middleware (`vllm serve --middleware`): 401 without `Authorization: Bearer $VLLM_API_KEY`."""

    def __init__(self, app: Callable) -> None:
        self._app, self._expected = app, f"Bearer {os.environ['VLLM_API_KEY']}".encode()

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan" or scope["path"] in PUBLIC or self._knows_key(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"Unauthorized"})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _knows_key(self, scope: dict[str, Any]) -> bool:
        return hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._expected)
