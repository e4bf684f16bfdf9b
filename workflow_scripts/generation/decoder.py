"""Decoding in slots: rows of a fixed number of places in memory, refilled as their responses end.

A prompt runs once and its keys and values are copied to the slots of its samples. Then all slots take a step together:
one token read, one sampled. All shapes of a step are known beforehand and nothing of it waits for the host, so that a
GPU can replay it as a graph; every few steps the host looks which rows still run, moves them to the front and gives
the slots that became free to the next prompts.

A response has its own row of uniform numbers, drawn before its first token, and its own row of results: what it becomes
does not depend, up to rounding, on the slot that it runs in, nor on what runs beside it.
"""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from workflow_scripts.generation.cache import SlotCache
from workflow_scripts.generation.graphs import StepGraphs
from workflow_scripts.generation.passes import passes_of
from workflow_scripts.generation.sampling import sample_tokens
from workflow_scripts.models.products import rounded

NOTHING = -1  # in place of a token


@dataclass(frozen=True)
class Pace:
    """How a kind of device is driven."""

    slots: int  # rows decoded together, where as many fit
    stride: int  # steps between two looks of the host, each of which a GPU has to be waited for
    rounding: int  # to a multiple of this many places attention reads: a graph is captured for each
    keep: float  # rows are moved to the front when at most this share still runs
    powers: bool  # whether a step takes a power of two of rows: a graph is captured for each


# On a CPU measured (nano, 64 samples of 100 questions): with 64 rows half as fast, from 256 on no faster.
PACES = {
    "cpu": Pace(slots=256, stride=1, rounding=1, keep=0.8, powers=False),
    "cuda": Pace(slots=512, stride=8, rounding=128, keep=0.5, powers=True),
}
CACHE = 0.3  # of a device's memory may be keys and values; of all of it, so that equal machines have equal slots
REFILL = 0.5  # slots are filled again when at least this share of them is free: prompts run best several at a time


@dataclass(frozen=True)
class Work:
    """`count` samples of a prompt, whose results go to the rows from `row` on."""

    prompt: list[int]
    row: int
    count: int

    def parts(self, most: int) -> Iterator["Work"]:
        """The same in parts of at most so many samples."""
        for start in range(0, self.count, most):
            yield Work(self.prompt, self.row + start, min(most, self.count - start))


class Slots:
    """Everything that a step reads and writes, at fixed addresses."""

    def __init__(self, layers: int, count: int, room: int, rows: int, width: int, device: torch.device) -> None:
        """`count` slots with `room` places each; `rows` responses of at most `width` tokens, and a spare row."""
        self.size = (count, room, rows, width)
        self.cache = SlotCache(layers, count, room, device)
        whole = {"dtype": torch.long, "device": device}
        self.row = torch.full((count,), rows, **whole)  # of the results; the spare one: nothing runs in this slot
        self.token, self.position = torch.zeros(count, **whole), torch.zeros(count, **whole)  # to be read next
        self.made = torch.zeros(count, **whole)  # tokens of the response so far
        self.limit = torch.zeros((), **whole)
        self.tokens = torch.zeros(rows + 1, width, **whole)
        self.log_probs, self.entropy, self.uniforms = (torch.zeros(rows + 1, width, device=device) for _ in range(3))

    @property
    def spare(self) -> int:
        return self.size[2]

    def start(self, uniforms: torch.Tensor) -> None:
        """Results of len(uniforms) responses of at most `uniforms.shape[1]` tokens are to come."""
        rows, width = uniforms.shape
        self.uniforms[:rows, :width] = uniforms
        self.limit.fill_(width)
        self.row.fill_(self.spare)
        self.tokens.fill_(NOTHING)
        for each in (self.log_probs, self.entropy, self.position, self.made):
            each.zero_()

    def compact(self, alive: torch.Tensor, used: int, bound: int) -> None:
        """Move the slots `alive` (m,), ascending, of the first `used` ones to the first m places."""
        count = len(alive)
        free = torch.ones(used, dtype=torch.bool, device=alive.device).index_fill_(0, alive, False)
        targets, sources = free[:count].nonzero().flatten(), alive[alive >= count]
        if len(sources):
            self.cache.move(sources, targets, bound)
            for state in (self.row, self.token, self.position, self.made):
                state[targets] = state[sources]
        self.row[count:used] = self.spare
        self.position[count:used] = 0
        self.made[count:used] = 0


class Decoder:
    """Decodes with a Hugging Face model's weights as they are at each call."""

    def __init__(self, model: Any, ends: torch.Tensor, known: int, dtype: torch.dtype | None = None) -> None:
        """`ends`: ids that end a response; ids from `known` on, which round a vocabulary up, cannot be sampled.
        `dtype`: see `passes_of`.
        """
        self.model, self.passes, self.ends, self.known = model, passes_of(model, dtype), ends, known
        self.device = ends.device
        self.pace = PACES["cpu" if self.device.type == "cpu" else "cuda"]
        self.slots: Slots | None = None
        self.graphs = StepGraphs(self._step) if self.device.type == "cuda" and self.passes.captures else None
        self.used = self.longest = 0  # slots from the first to the last that runs; the largest position in them

    def run(
        self, work: list[Work], uniforms: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`(tokens, log_probs, entropy)`, shaped like `uniforms`, as the engine's `Generation` says, until the next
        call; NOTHING, zero and zero after the end of a response.
        """
        slots = self._prepare(work, uniforms.shape)
        slots.start(uniforms)
        queue = deque(part for each in work for part in each.parts(len(slots.row)))
        step = self.graphs or self._step
        stride = min(self.pace.stride, uniforms.shape[1] - 1)  # one token comes of the prompt
        while queue or self.used:
            self._look(queue)
            self._admit(queue, temperature)
            for _ in range(stride if self.used else 0):
                step(self._rows(), self._bound(), temperature)
                self.longest += 1
        rows, width = uniforms.shape
        return slots.tokens[:rows, :width], slots.log_probs[:rows, :width], slots.entropy[:rows, :width]

    def release(self, share: float = 0.0) -> None:
        """Give back the slots, unless they take less than this share of the device's memory: graphs go with them."""
        if self.slots and self.slots.cache.bytes() >= share * self._memory():
            self.slots = None
            if self.graphs:
                self.graphs.forget()

    def _memory(self) -> int:
        """Bytes of the device."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_properties(self.device).total_memory
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def _prepare(self, work: list[Work], shape: tuple[int, int]) -> Slots:
        """Slots that are large enough; those of the last call, if they are."""
        room = _rounded(max((len(each.prompt) for each in work), default=0) + shape[1], self.pace.rounding)
        moved, old = self.passes.refresh(room), self.slots.size if self.slots else (0, 0, 0, 0)
        room, rows, width = map(max, old[1:], (room, *shape))
        size = (self._fitting(rows, room), room, rows, width)
        if size != old:
            self.slots = None
            self.slots, moved = Slots(self.model.config.num_hidden_layers, *size, self.device), True
        if moved and self.graphs:
            self.graphs.forget()
        self.used = self.longest = 0
        return self.slots

    def _fitting(self, rows: int, room: int) -> int:
        """Slots with `room` places each for `rows` responses."""
        most = int(CACHE * self._memory() / (room * self.passes.place_bytes)) if room else rows
        return min(self.pace.slots, rows, max(1, most))

    def _admit(self, queue: deque[Work], temperature: float) -> None:
        """Run the prompts that come next and sample their first tokens, where enough slots are free."""
        free = len(self.slots.row) - self.used
        if not self._fills(queue, free):
            return
        taken = [queue.popleft()]
        samples = taken[0].count
        while queue and queue[0].count == samples and (len(taken) + 1) * samples <= free:
            taken.append(queue.popleft())
        slots, chosen = self.slots, slice(self.used, self.used + len(taken) * samples)
        states = self.passes.prompts([each.prompt for each in taken], slots.cache.for_prompts(self.used, samples))
        first = torch.tensor([each.row for each in taken], device=self.device)
        ends = torch.tensor([len(each.prompt) - 1 for each in taken], device=self.device)
        slots.row[chosen] = (first[:, None] + torch.arange(samples, device=self.device)).flatten()
        slots.position[chosen] = ends.repeat_interleave(samples)
        self._emit(states.repeat_interleave(samples, dim=0), chosen, temperature)
        self.used, self.longest = chosen.stop, max(self.longest, *(len(each.prompt) for each in taken))

    def _step(self, rows: int, bound: int, temperature: float) -> None:
        """Read one token in each of the first `rows` slots and sample the next."""
        slots, chosen = self.slots, slice(rows)
        positions = slots.position[chosen]
        states = self.passes.tokens(slots.token[chosen], positions, slots.cache.for_tokens(positions, bound))
        self._emit(states, chosen, temperature)

    def _emit(self, states: torch.Tensor, chosen: slice, temperature: float) -> None:
        """Sample from hidden `states` of the slots `chosen` and record it; a response that ends leaves its slot."""
        slots = self.slots
        row, made, spare = slots.row[chosen], slots.made[chosen], slots.spare
        logits = self.passes.logits(states)[:, : self.known].float()
        tokens, log_probs, entropy = sample_tokens(logits, temperature, slots.uniforms[row, made])
        slots.tokens[row, made], slots.log_probs[row, made], slots.entropy[row, made] = tokens, log_probs, entropy
        made = made + 1
        ended = (tokens[:, None] == self.ends).any(dim=1)
        running = (made < slots.limit) & (row != spare) & ~ended
        slots.row[chosen] = row.masked_fill(~running, spare)
        slots.token[chosen] = tokens
        slots.made[chosen] = made * running
        slots.position[chosen] = (slots.position[chosen] + 1) * running

    def _fills(self, queue: deque[Work], free: int) -> bool:
        """Whether prompts wait for `free` slots and these are enough of them."""
        return bool(queue) and free >= max(queue[0].count, REFILL * len(self.slots.row))

    def _look(self, queue: deque[Work]) -> None:
        """See which slots still run and move them to the front where that makes the next steps cheaper."""
        slots = self.slots
        alive = (slots.row[: self.used] != slots.spare).nonzero().flatten()
        if len(alive) <= self.pace.keep * self.used or self._fills(queue, len(slots.row) - len(alive)):
            slots.compact(alive, self.used, self._bound())
            self.used = len(alive)
            self.longest = int(slots.position[: self.used].max()) if self.used else 0

    def _rows(self) -> int:
        """Slots that take the next step: those in use, and some that are not, so that few numbers of rows occur."""
        rows = 1 << (self.used - 1).bit_length() if self.pace.powers else rounded(self.used)
        return min(rows, len(self.slots.row))

    def _bound(self) -> int:
        """Places that attention reads: past the largest position that the next step comes to, rounded up."""
        return min(_rounded(self.longest + 1, self.pace.rounding), self.slots.cache.room)


def _rounded(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
