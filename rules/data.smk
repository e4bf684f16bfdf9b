rule sample_data:
    """Questions, demonstrations or pairs of one dataset: drawn, deduplicated, split, decontaminated."""
    input:
        ancient(upstream("sample_data")),
    output:
        manifest=ensure(output_of("sample_data"), non_empty=True),
    log:
        f"{RESULTS}/logs/sample_data/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample_data/{{artifact}}.jsonl"
    priority: priority_of("sample_data")
    threads: threads_of("sample_data")
    resources:
        **resources_of("sample_data"),
    params:
        spec=spec_of("sample_data"),
        inputs=inputs_of("sample_data"),
    message:
        "Sampling data {wildcards.artifact}"
    shell:
        command_of("sample_data")
