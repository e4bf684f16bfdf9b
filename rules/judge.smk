rule distill_judge:
    """The judge: the small model fine-tuned on the teacher's verdicts."""
    input:
        ancient(upstream("distill_judge")),
    output:
        manifest=ensure(output_of("distill_judge"), non_empty=True),
    log:
        f"{RESULTS}/logs/distill_judge/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/distill_judge/{{artifact}}.jsonl"
    wildcard_constraints:
        artifact=r"judge\.[a-z0-9_.]+-[0-9a-f]{10}",
    priority: priority_of("distill_judge")
    threads: threads_of("distill_judge")
    resources:
        **resources_of("distill_judge"),
    params:
        spec=spec_of("distill_judge"),
        inputs=inputs_of("distill_judge"),
    message:
        "Distilling {wildcards.artifact}"
    shell:
        command_of("distill_judge")


rule audit_judge:
    """The judge measured against teacher and truth before any arm may train on it."""
    input:
        ancient(upstream("audit_judge")),
    output:
        manifest=ensure(output_of("audit_judge"), non_empty=True),
    log:
        f"{RESULTS}/logs/audit_judge/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_judge/{{artifact}}.jsonl"
    wildcard_constraints:
        artifact=r"audit\.[a-z0-9_.]+-[0-9a-f]{10}",
    priority: priority_of("audit_judge")
    threads: threads_of("audit_judge")
    resources:
        **resources_of("audit_judge"),
    params:
        spec=spec_of("audit_judge"),
        inputs=inputs_of("audit_judge"),
    message:
        "Auditing {wildcards.artifact}"
    shell:
        command_of("audit_judge")
