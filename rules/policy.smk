rule train_policy:
    """One arm: RL under one reward and entropy setting. Weights, metrics, validation."""
    input:
        ancient(upstream("train_policy")),
    output:
        manifest=ensure(output_of("train_policy"), non_empty=True),
    log:
        f"{RESULTS}/logs/train_policy/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_policy/{{artifact}}.jsonl"
    priority: priority_of("train_policy")
    threads: threads_of("train_policy")
    resources:
        **resources_of("train_policy"),
    params:
        spec=spec_of("train_policy"),
        inputs=inputs_of("train_policy"),
    message:
        "Training {wildcards.artifact}"
    shell:
        command_of("train_policy")
