##### Entropy Bridge: data → exploration → teacher labels → judge → RL arms → evaluation → report. #####
#
#   snakemake --cores all                                     the nano scale (config/nano.yaml)
#   snakemake --cores all --configfile config/NAME.yaml       any other scale
#   snakemake -n                                              what would run, and why
from snakemake.utils import min_version

min_version("9.20")


include: "rules/common.smk"


container: "docker://python:3.12-slim"


rule all:
    """Everything, up to the report."""
    default_target: True
    input:
        report_page(),
    localrule: True


include: "rules/data.smk"
include: "rules/models.smk"
include: "rules/exploration.smk"
include: "rules/teacher.smk"
include: "rules/judge.smk"
include: "rules/policy.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"
include: "rules/targets.smk"


onsuccess:
    name_report()
