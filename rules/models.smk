rule prepare_model:
    """A model as an ordinary Hugging Face directory: trained from scratch, or fetched at a pinned revision."""
    input:
        ancient(upstream("prepare_model")),
    output:
        manifest=ensure(output_of("prepare_model"), non_empty=True),
    log:
        f"{RESULTS}/logs/prepare_model/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_model/{{artifact}}.jsonl"
    priority: priority_of("prepare_model")
    threads: threads_of("prepare_model")
    resources:
        **resources_of("prepare_model"),
    params:
        spec=spec_of("prepare_model"),
        inputs=inputs_of("prepare_model"),
    message:
        "Preparing model {wildcards.artifact}"
    shell:
        command_of("prepare_model")
