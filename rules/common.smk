##### The config, the graph of artifacts, and what every rule asks of them. #####
import gc
import shlex
import sys
from functools import cache
from pathlib import Path

from snakemake_interface_executor_plugins.settings import DeploymentMethod

from workflow_scripts.config.artifact import FOLDERS, STABLE, spec_text
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config, statements
from workflow_scripts.config import placement
from workflow_scripts.config.placement import placement_of_job
from workflow_scripts.planning.priorities import priorities
from workflow_scripts.planning.cost.check import check_memory
from workflow_scripts.planning.merged import tell_plan

ROOT = Path(workflow.basedir)

# Snakemake merges config files silently: nano's studies would stay in another grid.
if not workflow.config_settings.configfiles:

    configfile: str(ROOT / "config" / "nano.yaml")


gc.disable()  # all that is made here stays: to look for garbage in it takes a fifth of a dry run
try:
    graph = Graph(load_config(config), ROOT, **statements(ROOT / "config"))
    check_memory(graph)
    if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
        placement.use_container(graph.config, ROOT)
except (ConfigError, ValueError) as error:
    sys.exit(str(error))
tell_plan(config)
gc.freeze()
gc.enable()
gc.set_threshold(100_000)  # instead of 700: so does nearly all that Snakemake makes of the jobs

RESULTS = graph.config.results
PRIORITIES = priorities(graph)

# How many GPUs a stage has is the config's business, which ones they are is the profile's.
gpu_type = (workflow.resource_settings.default_resources or {}).get("gpu_type")

# One shell line for all stages: the launcher is python, torchrun or srun + torchrun, as the placement says.
# exec: signals that SLURM sends to all processes of a job must not end the shell under a stage that saves its work.
LAUNCH = "exec {{resources.launcher}} workflow_scripts.stages.{stage} "
ARGUMENTS = (
    "--spec {{params.spec:q}} --output {{output.manifest:q}}"
    " --work {work} --environment {{resources.environment}} {{params.inputs}} --threads {{threads}}"
    " --minutes {{resources.runtime}} --checkpoint-every {{resources.checkpoint_every}} --log-file {{log:q}}"
)

STAGE_TARGETS = {
    "data": "sample_data",
    "models": "prepare_model",
    "exploration": "explore_policy",
    "labels": "label_rollouts",
    "judges": "distill_judge",
    "audits": "audit_judge",
    "policies": "train_policy",
    "answers": "sample_answers",
    "grades": "grade_answers",
    "entropy_law": "fit_entropy_law",
    "comparison": "compare_results",
    "report": "render_report",
}


wildcard_constraints:
    artifact=r"[a-z0-9_.]+-[0-9a-f]{10}",


def output_of(stage):
    """Pattern of the stage's manifest: keyed stages differ in {artifact}, stable ones have a single concrete path."""
    artifacts = list(graph.of_stage(stage).values())
    if stage in STABLE:
        return f"{RESULTS}/{artifacts[0].manifest}"
    return f"{RESULTS}/{FOLDERS[stage]}/{{artifact}}/manifest.json"


def artifact_of(stage, wildcards):
    """The artifact that a job makes."""
    artifacts = graph.of_stage(stage)
    identity = wildcards.get("artifact") or next(iter(artifacts))
    if identity not in artifacts:
        raise WorkflowError(f"{stage}: no artifact {identity} in this config: config or code changed since it was made")
    return artifacts[identity]


def upstream(stage):
    """Input function: the manifests that a job reads."""
    return lambda wildcards: [f"{RESULTS}/{a.manifest}" for a in artifact_of(stage, wildcards).inputs.values()]


def spec_of(stage):
    """Params function: the canonical spec, whose digest is the key in the path."""
    return lambda wildcards: spec_text(artifact_of(stage, wildcards))


def inputs_of(stage):
    """Params function: the role of each input, as command-line options."""

    def options(wildcards):
        inputs = artifact_of(stage, wildcards).inputs
        return " ".join(f"--input {shlex.quote(f'{role}={RESULTS}/{a.manifest}')}" for role, a in inputs.items())

    return options


@cache
def placements_of(stage):
    """The placement of every job of a stage, by its artifact."""
    return {name: placement_of_job(graph.config, artifact) for name, artifact in graph.of_stage(stage).items()}


def jobs_differ(stage):
    """Whether the jobs of a stage are placed differently: some with GPUs, some without."""
    return len({repr(place) for place in placements_of(stage).values()}) > 1


def command_of(stage):
    """Shell line of a stage's rule. Snakemake fills it in three times a job: what all jobs share stands in it already."""
    # Where a job reads all arms, its spec outgrows Linux's 128 KiB an argument: bash writes the arguments to a pipe.
    line = f"{LAUNCH}@<(printf '%s\\n' {ARGUMENTS})" if stage in STABLE else f"{LAUNCH}{ARGUMENTS}"
    work = shlex.quote(f"{RESULTS}/work").replace("{", "{{").replace("}", "}}")
    return line.format(stage=stage, work=work)


def of_job(values):
    """A value of a rule: the one that all its jobs share, or a function of the job."""
    if len({repr(value) for value in values.values()}) == 1:
        return next(iter(values.values()))
    return lambda wildcards: values[wildcards.artifact]


def resources_of(stage):
    """Resources of a stage's rule; functions of the job where its jobs differ."""
    site = str(gpu_type.raw) if gpu_type else ""
    jobs = {
        name: placement.resources_of(place, stage, graph.config.environment, site)
        for name, place in placements_of(stage).items()
    }
    names = {name for resources in jobs.values() for name in resources}
    return {name: of_job({job: resources.get(name) for job, resources in jobs.items()}) for name in names}


def threads_of(stage):
    """Threads of a stage's rule, a function of the job where its jobs differ."""
    return of_job({name: place.threads for name, place in placements_of(stage).items()} or {"": 1})


def priority_of(stage):
    """Priority function: studies are computed in the order of the config."""
    return lambda wildcards: PRIORITIES.get((stage, artifact_of(stage, wildcards).identity), 0)


def manifests_of(stage):
    """All manifests of a stage."""
    return [f"{RESULTS}/{artifact.manifest}" for artifact in graph.of_stage(stage).values()]


def manifests_of_study(study):
    """The graded answers of a study's arms."""
    return [f"{RESULTS}/{artifact.manifest}" for artifact in graph.of_study(study)]


def report_page():
    files = [f"{RESULTS}/report/{name}" for name in ("index.html", "figures", "tables")]
    return [f"{RESULTS}/{graph.report.manifest}", *files]


def name_report():
    """Say where the report is, if there is one."""
    page = Path(RESULTS) / "report" / "index.html"
    if page.is_file():
        print(f"Report: {page}")


def record_lock():
    """Collect the checksums of what is there. The run has succeeded, whether or not they can be written."""
    from workflow_scripts.maintain.lock import write_lock

    try:
        write_lock(graph, Path(RESULTS))
    except OSError as error:
        print(f"lock.json is not written: {error}")
