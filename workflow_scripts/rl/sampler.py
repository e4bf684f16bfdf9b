"""Which questions a batch asks: epochs of shuffled questions, cut into batches."""

import random

from workflow_scripts.rl.seeds import derive_seed


class PromptSampler:
    """The position is the number of the batch, so a resumed run continues at the right question."""

    def __init__(self, questions: int, prompts: int, seed: int) -> None:
        """`prompts` of `questions` per batch. Raises ValueError where a batch would ask a question twice."""
        if prompts > questions:
            raise ValueError(f"rollout.prompts is {prompts}, but the training split has only {questions} questions")
        self.questions, self.prompts, self.seed = questions, prompts, seed
        self.per_epoch = questions // prompts  # an incomplete last batch is left out, as in the peers' loaders

    def batch(self, number: int) -> list[int]:
        """Indices of the questions of batch `number`, from 1."""
        epoch, place = divmod(number - 1, self.per_epoch)
        order = list(range(self.questions))
        random.Random(derive_seed(self.seed, "questions", epoch)).shuffle(order)
        return order[place * self.prompts : (place + 1) * self.prompts]
