##### Entropy Bridge: data → exploration → teacher labels → judge → RL arms → evaluation → report. #####
#
#   snakemake --cores all                                     the nano scale (config/nano.yaml)
#   snakemake --cores all --configfile config/NAME.yaml       any other scale
#   snakemake --workflow-profile config/profiles/slurm        on a cluster
#   snakemake -n                                              what would run, and why
from snakemake.settings.enums import RerunTrigger
from snakemake.utils import min_version

from workflow_scripts import controller

min_version("9.20")

# The path of an artifact is its identity: a job is due where its path is missing, and for no other reason. Snakemake's
# other triggers (text of a rule, parameters, names of inputs) would plan finished artifacts, and worse: behind such a
# job it does not look for missing files, as long as the inputs between are ancient and there. No Snakefile can set
# `--rerun-triggers mtime`, and plain snakemake has to be right: so the property that the DAG asks is replaced.
assert hasattr(type(workflow), "rerun_triggers"), "this Snakemake asks for its triggers in another way"
type(workflow).rerun_triggers = frozenset({RerunTrigger.MTIME})


include: "rules/common.smk"


controller.guard(workflow, jobs_differ)


# For those who run jobs in one (--sdm apptainer): envs/Containerfile says how it is built. Snakemake refuses an image
# whose path has blanks, even where no job runs in it.
if " " not in str(ROOT):

    container: str(ROOT / "envs" / "entropy-bridge.sif")


rule all:
    """Everything, up to the report."""
    default_target: True
    input:
        report_page(),
    localrule: True


include: "rules/downloads.smk"
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
    record_lock()
    name_report()
