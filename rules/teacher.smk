rule label_rollouts:
    """Teacher labels for the distinct answers of the exploration, votes on the audit split."""
    input:
        ancient(upstream("label_rollouts")),
    output:
        manifest=ensure(output_of("label_rollouts"), non_empty=True),
    log:
        f"{RESULTS}/logs/label_rollouts/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/label_rollouts/{{artifact}}.jsonl"
    priority: priority_of("label_rollouts")
    threads: threads_of("label_rollouts")
    resources:
        **resources_of("label_rollouts"),
    params:
        spec=spec_of("label_rollouts"),
        inputs=inputs_of("label_rollouts"),
    message:
        "Labelling {wildcards.artifact}"
    shell:
        command_of("label_rollouts")
