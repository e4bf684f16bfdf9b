"""Which questions a step asks: epochs of shuffled questions, cut into steps."""

import random

from workflow_scripts.rl.seeds import derive_seed


class PromptSampler:
    """The position is the step itself, so a resumed run continues at the right question."""

    def __init__(self, questions: int, prompts: int, seed: int) -> None:
        """`prompts` of `questions` per step. Raises ValueError where a step would ask a question twice."""
        if prompts > questions:
            raise ValueError(f"rollout.prompts is {prompts}, but the training split has only {questions} questions")
        self.questions, self.prompts, self.seed = questions, prompts, seed
        self.steps_per_epoch = questions // prompts  # an incomplete last step is left out, as in the peers' loaders

    def step(self, step: int) -> list[int]:
        """Indices of the questions of rollout step `step`, from 1."""
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        order = list(range(self.questions))
        random.Random(derive_seed(self.seed, "questions", epoch)).shuffle(order)
        return order[place * self.prompts : (place + 1) * self.prompts]
