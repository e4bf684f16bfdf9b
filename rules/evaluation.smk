rule sample_answers:
    """Answers of a policy to all benchmarks, every response kept."""
    input:
        ancient(upstream("sample_answers")),
    output:
        manifest=ensure(output_of("sample_answers"), non_empty=True),
    log:
        f"{RESULTS}/logs/sample_answers/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample_answers/{{artifact}}.jsonl"
    wildcard_constraints:
        artifact=r"answers\.[a-z0-9_.]+-[0-9a-f]{10}",
    priority: priority_of("sample_answers")
    threads: threads_of("sample_answers")
    resources:
        **resources_of("sample_answers"),
    params:
        spec=spec_of("sample_answers"),
        inputs=inputs_of("sample_answers"),
    message:
        "Sampling {wildcards.artifact}"
    shell:
        command_of("sample_answers")


rule grade_answers:
    """Verdicts on the answers by truth, rules and teacher."""
    input:
        ancient(upstream("grade_answers")),
    output:
        manifest=ensure(output_of("grade_answers"), non_empty=True),
    log:
        f"{RESULTS}/logs/grade_answers/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/grade_answers/{{artifact}}.jsonl"
    wildcard_constraints:
        artifact=r"grades\.[a-z0-9_.]+-[0-9a-f]{10}",
    priority: priority_of("grade_answers")
    threads: threads_of("grade_answers")
    resources:
        **resources_of("grade_answers"),
    params:
        spec=spec_of("grade_answers"),
        inputs=inputs_of("grade_answers"),
    message:
        "Grading {wildcards.artifact}"
    shell:
        command_of("grade_answers")
