rule explore_policy:
    """RL from the base policy under the teacher's hard verdict; every rollout is kept."""
    input:
        ancient(upstream("explore_policy")),
    output:
        manifest=ensure(output_of("explore_policy"), non_empty=True),
    log:
        f"{RESULTS}/logs/explore_policy/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/explore_policy/{{artifact}}.jsonl"
    priority: priority_of("explore_policy")
    threads: threads_of("explore_policy")
    resources:
        **resources_of("explore_policy"),
    params:
        spec=spec_of("explore_policy"),
        inputs=inputs_of("explore_policy"),
    message:
        "Exploring {wildcards.artifact}"
    shell:
        command_of("explore_policy")
