"""Model servers inside a job's own allocation: started, watched, asked and stopped.

    with serve(command, ranks, log, tensor_parallel) as servers:        every rank calls
        answers = servers.client.ask_all("/v1/completions", requests)

Where they run is the placement's business (`serving_gpus`, `serving_nodes`): on GPUs of each node that the ranks do not
see, on nodes of their own, or, for a stage that trains nothing, on all its GPUs. A node has a server per
tensor-parallel group. A server listens on loopback or, on a node of its own, on that node's address only, and asks for
a key that is drawn per run and travels in the environment.

    allocation.py   which rank starts servers, and which ones a rank asks
    server.py       the rank's side: starts a host per node, hears of its end, stops it
    host.py         the node's side (`python -m workflow_scripts.serving.host`): servers, their ports, health and end
    plan.py         what the rank tells the node
    client.py       requests, dealt over the servers, with retries
    access.py       what vLLM leaves open without the key is closed
    devices.py      which GPUs are the ranks' and which the servers'
    logs.py         what a log says of its server
"""

from workflow_scripts.serving.allocation import Servers, serve
from workflow_scripts.serving.client import Client, Endpoint
from workflow_scripts.serving.server import Server, vllm_environment

__all__ = ["Client", "Endpoint", "Server", "Servers", "serve", "vllm_environment"]
