"""Graders of sampled answers: a name gives the module with

    grade(answers: list[dict], settings: dict, model: Callable[[], Judge]) -> dict[str, list]

`answers`: N rows of ANSWERS, each with the `prompt` and `reference` of its question; `truth` has its `truth`.
`settings`: of the benchmark (`grading`: math or text; for the teacher `votes`, `vote_temperature` and `seed`).
`model()`: the teacher, or the distilled judge, for the grader of that name, loaded by the first call (`load(stage)`
of its module).
Returned are the columns of VERDICTS that the grader fills, N values each.
"""

GRADERS = {
    "truth": "workflow_scripts.evaluation.graders.truth",
    "rule": "workflow_scripts.evaluation.graders.rule",
    "contains": "workflow_scripts.evaluation.graders.contains",
    "teacher": "workflow_scripts.evaluation.graders.teacher",
    "judge": "workflow_scripts.evaluation.graders.judge",
}
