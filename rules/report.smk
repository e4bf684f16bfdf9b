rule fit_entropy_law:
    """Fits of R = -a exp(H) + b and of its alternatives, per arm."""
    input:
        ancient(upstream("fit_entropy_law")),
    output:
        manifest=ensure(output_of("fit_entropy_law"), non_empty=True),
    log:
        f"{RESULTS}/logs/fit_entropy_law.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_entropy_law.jsonl"
    threads: threads_of("fit_entropy_law")
    resources:
        **resources_of("fit_entropy_law"),
    params:
        spec=spec_of("fit_entropy_law"),
        inputs=inputs_of("fit_entropy_law"),
    message:
        "Fitting the entropy law"
    shell:
        command_of("fit_entropy_law")


rule compare_results:
    """Tables: reward by entropy, subjects, pass@k, entropy at equal accuracy, claims."""
    input:
        ancient(upstream("compare_results")),
    output:
        manifest=ensure(output_of("compare_results"), non_empty=True),
    log:
        f"{RESULTS}/logs/compare_results.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_results.jsonl"
    threads: threads_of("compare_results")
    resources:
        **resources_of("compare_results"),
    params:
        spec=spec_of("compare_results"),
        inputs=inputs_of("compare_results"),
    message:
        "Comparing arms"
    shell:
        command_of("compare_results")


rule render_report:
    """The report: one self-contained HTML page, its tables as CSV and figures as SVG."""
    input:
        ancient(upstream("render_report")),
    output:
        manifest=ensure(output_of("render_report"), non_empty=True),
        page=report(
            f"{RESULTS}/report/index.html",
            caption="captions/page.rst",
            category="Report",
            labels={"page": "all of it"},
        ),
        figures=report(
            directory(f"{RESULTS}/report/figures"),
            patterns=["{figure}.svg"],
            caption="captions/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        tables=report(
            directory(f"{RESULTS}/report/tables"),
            patterns=["{table}.csv"],
            caption="captions/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"{RESULTS}/logs/render_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/render_report.jsonl"
    threads: threads_of("render_report")
    resources:
        **resources_of("render_report"),
    params:
        spec=spec_of("render_report"),
        inputs=inputs_of("render_report"),
    message:
        "Rendering the report"
    shell:
        command_of("render_report")
