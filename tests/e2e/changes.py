"""What a researcher, an editor, git or an accident does to a finished project: the rows of the invalidation matrix.

A change gets the project, and returns what it adds to snakemake's command line, if anything.
"""

import json
import shutil
import subprocess

import yaml

from tests.project import ROOT, Project
from workflow_scripts.artifacts.fingerprint import locked_versions

SCRIPTS = "workflow_scripts"
STUDY = "studies.reward_by_entropy"


def nothing(project: Project) -> None:
    """The next run, as it is."""


# ------------------------------------------------------------------------------- edits that decide nothing
def a_comment(project: Project) -> None:
    append(project, f"{SCRIPTS}/rl/trainer.py", "# a remark\n")


def a_docstring(project: Project) -> None:
    path = project.root / SCRIPTS / "stages/train_policy.py"
    assert path.read_text().startswith('"""')
    path.write_text(path.read_text().replace('"""', '"""In other words. ', 1))


def formatting(project: Project) -> None:
    path = project.root / SCRIPTS / "rewards/judge.py"
    path.write_text(path.read_text().replace("\n\n\n", "\n\n\n\n").replace("(self, ", "(\n        self, ") + "\n\n")


def an_inert_module(project: Project) -> None:
    project.edit(f"{SCRIPTS}/artifacts/lock.py", "HEARTBEAT_SECONDS = 15", "HEARTBEAT_SECONDS = 20")


def a_new_loss_file(project: Project) -> None:
    losses = project.root / SCRIPTS / "rl/losses"
    shutil.copy(losses / "reinforce.py", losses / "mine.py")
    entry = 'LOSSES = {\n    "mine": "workflow_scripts.rl.losses.mine",'
    project.edit(f"{SCRIPTS}/rl/losses/__init__.py", "LOSSES = {", entry)


def a_rollout_engine_that_no_config_names(project: Project) -> None:
    append(project, f"{SCRIPTS}/generation/other_engine.py", "def build(model, tokenizer): ...\n")
    entry = 'ENGINES = {"other": "workflow_scripts.generation.other_engine", '
    project.edit(f"{SCRIPTS}/generation/__init__.py", "ENGINES = {", entry)


def the_vllm_engines_of_judges(project: Project) -> None:
    for engine in ("offline", "served"):
        append(project, f"{SCRIPTS}/rewards/judge_engines/{engine}.py", "\nNEW = 1\n")


def a_deepspeed_file_that_no_arm_names(project: Project) -> None:
    append(project, "config/deepspeed/zero2.json", " ")


# ------------------------------------------------------------------------------------- another place or way
def touched_files(project: Project) -> None:
    for path in project.root.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()


def a_git_clone_beside_the_results(project: Project) -> None:
    """What git holds, cloned to another folder; the results are moved there, .snakemake is not."""
    project.root.joinpath(".gitignore").write_text("/results\n/.snakemake\n__pycache__\n")
    for command in ("init -q", "add -A", "-c user.name=x -c user.email=x@y commit -qm x", "clone -q . ../clone"):
        subprocess.run(["git", *command.split()], cwd=project.root, check=True)
    shutil.move(project.results, project.root.with_name("clone"))
    project.move(project.root.with_name("clone"))


def a_symlink_to_the_checkout(project: Project) -> None:
    link = project.root.with_name("link")
    link.symlink_to(project.root)
    project.move(link)


def a_path_with_blanks_and_accents(project: Project) -> None:
    project.move(project.root.rename(project.root.with_name("Zürich, run 2 (naïve)")))


def results_moved_to_scratch(project: Project) -> list[str]:
    scratch = project.root.with_name("scratch")
    scratch.mkdir()
    shutil.move(project.results, scratch)
    project.results = scratch / "results"
    return ["--directory", str(scratch)]


def results_under_another_name(project: Project) -> None:
    project.results = project.results.rename(project.root / "my results")
    project.set("results", "my results")


def an_empty_results_root(project: Project) -> list[str]:
    project.results = project.root / "elsewhere"
    project.set("results", "elsewhere")
    return ["data"]


def another_hash_seed_and_thread_count(project: Project) -> None:
    project.variables = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}


def lost_snakemake(project: Project) -> None:
    shutil.rmtree(project.root / ".snakemake")


def a_crlf_config(project: Project) -> None:
    project.config.write_bytes(project.config.read_bytes().replace(b"\n", b"\r\n"))


def a_reordered_config(project: Project) -> None:
    def backwards(value):
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    write(project, backwards(project.settings()))


def a_config_that_extends_another(project: Project) -> None:
    """The same settings, the entropy settings in a second file laid over the first."""
    settings = project.settings()
    own = {"extends": "base", "entropy": settings.pop("entropy"), "studies": settings.pop("studies")}
    (project.root / "config" / "base.yaml").write_text(yaml.safe_dump(settings))
    write(project, own)


def placement_checkpoints_and_retries(project: Project) -> list[str]:
    project.set("placement", {"train_policy": {"threads": 2, "memory_gb": 3, "minutes": 90, "checkpoint_every": 1}})
    return ["--retries", "2"]


def the_rules_shell_line(project: Project) -> None:
    project.edit("rules/common.smk", '"exec {{resources.launcher}} workflow', '"exec {{resources.launcher}}  workflow')


def the_rules_shell_line_and_a_claim(project: Project) -> None:
    """What comes with many a `git pull`: the first jobs of the DAG are none that is due, the last ones are."""
    the_rules_shell_line(project)
    a_claim(project)


def forced(project: Project) -> list[str]:
    return ["--forceall"]


# ------------------------------------------------------------------------------------------ code that counts
def code_of_every_stage(project: Project) -> None:
    append(project, f"{SCRIPTS}/__init__.py", "NEW = 1\n")


def a_helper_of_the_report(project: Project) -> None:
    append(project, f"{SCRIPTS}/analysis/svg.py", "\nNEW = 1\n")


def the_main_block_of_a_stage(project: Project) -> None:
    project.edit(f"{SCRIPTS}/stages/render_report.py", "raise SystemExit(main())", "raise SystemExit(main(None))")


def the_code_of_a_loss(project: Project) -> None:
    append(project, f"{SCRIPTS}/rl/losses/kl_cov.py", "\nNEW = 1\n")


def lost_snakemake_and_the_loss_again(project: Project) -> None:
    lost_snakemake(project)
    append(project, f"{SCRIPTS}/rl/losses/kl_cov.py", "\nNEWER = 1\n")


def a_loss_accepted_as_equal(project: Project) -> None:
    the_code_of_a_loss(project)
    assert "accepted as equal" in maintain(project, "accept", "--stage", "train_policy")


def the_code_of_the_first_stage(project: Project) -> None:
    append(project, f"{SCRIPTS}/stages/sample_data.py", "\nNEW = 1\n")


def the_judges_prompt(project: Project) -> None:
    path = project.root / SCRIPTS / "data/templates/judge_nano.txt"
    path.write_text("Q " + path.read_text())


def a_library_that_is_not_installed(project: Project) -> list[str]:
    version = locked_versions(ROOT / "envs/cpu.txt")["transformers"]
    project.edit("envs/cpu.txt", f"transformers=={version}", "transformers==0.0.1")
    return ["--keep-going"]


def a_claim(project: Project) -> None:
    project.edit("config/claims.yaml", "text: KL-Cov keeps", "text: In other words, KL-Cov keeps")


def a_published_number(project: Project) -> None:
    project.edit("config/published.yaml", "values: [21.2, 9.6,", "values: [21.3, 9.6,")


# --------------------------------------------------------------------------------------- settings that count
def an_entropy_coefficient(project: Project) -> None:
    project.set("entropy.kl_cov.options.kl_cov_ratio", 0.1)


def flipped_back(project: Project) -> None:
    shutil.copy(project.source / "tests/configs/micro.yaml", project.config)


def two_values_swapped(project: Project) -> None:
    options = project.settings()["entropy"]["kl_cov"]["options"]
    assert options == {"kl_cov_ratio": 0.2, "kl_cov_coef": 1.0}
    project.set("entropy.kl_cov.options", {"kl_cov_ratio": 1.0, "kl_cov_coef": 0.2})


def a_reward_setting(project: Project) -> None:
    project.set("rewards.judge_soft.form", "eq4")


def the_title_of_a_study(project: Project) -> None:
    project.set(f"{STUDY}.title", "Something else")


def a_renamed_entropy_setting(project: Project) -> None:
    settings = project.settings()
    settings["entropy"]["kl"] = settings["entropy"].pop("kl_cov")
    settings["studies"]["reward_by_entropy"]["entropy"] = ["none", "kl"]
    write(project, settings)


def a_renamed_judge(project: Project) -> None:
    settings = project.settings()
    settings["judges"] = {"umpire": settings["judges"]["judge"]}
    settings["rewards"]["judge_soft"]["judge"] = "umpire"
    write(project, settings)


def a_stricter_gate_that_the_judge_passes(project: Project) -> None:
    project.set("judges.judge.gate.kappa", -0.99)


def a_gate_that_the_judge_fails(project: Project) -> list[str]:
    project.set("judges.judge.gate.kappa_truth", 1.0)
    return ["--keep-going"]


def a_new_arm(project: Project) -> None:
    project.set("rewards.truth", {"kind": "truth"})
    project.set(f"{STUDY}.rewards", ["rule", "judge_soft", "truth"])
    project.set(f"{STUDY}.entropy", ["none"])


def a_removed_reward(project: Project) -> None:
    project.set(f"{STUDY}.rewards", ["rule"])


def a_new_seed(project: Project) -> None:
    one_arm = project.settings()["studies"]["reward_by_entropy"] | {"rewards": ["judge_soft"], "entropy": ["none"]}
    project.set("studies.again", one_arm | {"seeds": [1]})


def a_new_benchmark_from_a_file(project: Project) -> None:
    rows = [{"prompt": f"What is {n} + {n}?", "reference": str(2 * n)} for n in range(1, 9)]
    (project.root / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    mine = {"source": {"kind": "file", "path": "mine.jsonl"}, "splits": {"test": {"rows": 4}}, "grading": "text"}
    project.set("datasets.mine", mine)
    project.set("benchmarks.mine", {"data": "mine.test", "samples": 1, "max_tokens": 8, "graders": ["rule"]})
    project.set(f"{STUDY}.rewards", ["rule"])


def a_grader_less(project: Project) -> None:
    project.set("benchmarks.world.graders", ["truth", "rule", "contains"])


def that_file_touched(project: Project) -> None:
    (project.root / "mine.jsonl").touch()


def that_file_changed(project: Project) -> None:
    project.edit("mine.jsonl", "What is", "How much is")


# -------------------------------------------------------------------------------------- accidents and repairs
def lost_policies(project: Project) -> None:
    for folder in project.artifacts("policies"):
        shutil.rmtree(folder)


def the_policies_are_asked_for(project: Project) -> list[str]:
    return ["policies"]


def a_table_made_again(project: Project) -> list[str]:
    """One data set's artifact and work directory are gone; the target that asks for it makes the same bytes again."""
    remove(project, "sample_data", "data", "questions")
    return ["data"]


def a_pruned_exploration_and_a_new_arm(project: Project) -> None:
    """Someone freed the space of the exploration, work directory included; then an arm under a new reward is asked."""
    remove(project, "explore_policy", "exploration", "stage1")
    project.set("rewards.contains", {"kind": "rule", "rule": "contains"})
    project.set(f"{STUDY}.rewards", ["rule", "judge_soft", "contains"])
    project.set(f"{STUDY}.entropy", ["none"])


def broken_code_and_a_new_setting(project: Project) -> list[str]:
    """KL-Cov raises; the judge's reward is another one, so that a sound arm is due as well."""
    project.edit(f"{SCRIPTS}/rl/losses/kl_cov.py", "mask = tokens.mask\n", 'raise KeyError("oops")\n')
    a_reward_setting(project)
    return ["--keep-going"]


def the_code_is_mended(project: Project) -> None:
    file = f"{SCRIPTS}/rl/losses/kl_cov.py"
    shutil.copy(project.source / file, project.root / file)


# -------------------------------------------------------------------------------------------------- helpers
def append(project: Project, file: str, text: str) -> None:
    with open(project.root / file, "a") as handle:
        handle.write(text)


def write(project: Project, settings: dict) -> None:
    project.config.write_text(yaml.safe_dump(settings, sort_keys=False))


def remove(project: Project, stage: str, folder: str, name: str) -> None:
    """An artifact and its work directory."""
    (artifact,) = [path for path in project.artifacts(folder) if path.name.startswith(f"{name}.")]
    shutil.rmtree(artifact)
    shutil.rmtree(project.results / "work" / stage / artifact.name)


def maintain(project: Project, verb: str, *arguments: str) -> str:
    """What a verb of workflow_scripts.maintain printed; it must succeed."""
    config = ("--config", str(project.config))
    done = project.python("workflow_scripts.maintain", verb, *config, *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout
