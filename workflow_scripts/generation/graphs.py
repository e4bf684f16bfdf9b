"""Steps on a GPU as CUDA graphs: one launch instead of hundreds, which take longer to issue than to run.

After https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs: the first call of a shape runs on a side stream
and is its warm-up; then the same work is recorded, without being run, and later calls replay it. A step reads and
writes tensors at fixed addresses only. All graphs share one pool of memory, as no two of them run at a time.
"""

from collections.abc import Callable

import torch


class StepGraphs:
    def __init__(self, step: Callable[..., None]) -> None:
        """`step` takes hashable arguments, which fix its shapes, and must neither wait for the GPU nor allocate results
        that a later call reads.
        """
        self.step, self.captured, self.pool = step, {}, None

    def __call__(self, *arguments: object) -> None:
        if arguments in self.captured:
            self.captured[arguments].replay()
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.step(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            self.step(*arguments)
        self.pool = graph.pool()
        self.captured[arguments] = graph

    def forget(self) -> None:
        """The tensors have moved."""
        self.captured, self.pool = {}, None
