rule fetch_model:
    """A model of the hub at a pinned revision, downloaded where Snakemake runs: compute nodes have no internet."""
    output:
        manifest=ensure(output_of("fetch_model"), non_empty=True),
    log:
        f"{RESULTS}/logs/fetch_model/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_model/{{artifact}}.jsonl"
    wildcard_constraints:
        artifact=r"model\.[a-z0-9_.]+-[0-9a-f]{10}",
    priority: priority_of("fetch_model")
    localrule: True
    threads: threads_of("fetch_model")
    resources:
        **resources_of("fetch_model"),
    params:
        spec=spec_of("fetch_model"),
        inputs=inputs_of("fetch_model"),
    message:
        "Downloading {wildcards.artifact}"
    shell:
        command_of("fetch_model")


rule fetch_dataset:
    """A data set of the hub at a pinned revision, downloaded where Snakemake runs: compute nodes have no internet."""
    output:
        manifest=ensure(output_of("fetch_dataset"), non_empty=True),
    log:
        f"{RESULTS}/logs/fetch_dataset/{{artifact}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_dataset/{{artifact}}.jsonl"
    wildcard_constraints:
        artifact=r"dataset\.[a-z0-9_.]+-[0-9a-f]{10}",
    priority: priority_of("fetch_dataset")
    localrule: True
    threads: threads_of("fetch_dataset")
    resources:
        **resources_of("fetch_dataset"),
    params:
        spec=spec_of("fetch_dataset"),
        inputs=inputs_of("fetch_dataset"),
    message:
        "Downloading {wildcards.artifact}"
    shell:
        command_of("fetch_dataset")
