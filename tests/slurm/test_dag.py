"""The whole micro DAG through `--executor slurm` and the project's own profile: what is asked for, what comes out."""

import shutil

# rule: partition, GPUs per node, walltime, memory per node; the profile sets partition and walltime of long stages.
ASKED = {
    "sample_data": ("cpu", "N/A", "4:00:00", "2G"),
    "prepare_model": ("gpu", "N/A", "12:00:00", "2G"),
    "explore_policy": ("gpu", "gres:gpu:h100:1", "1-00:00:00", "3G"),
    "label_rollouts": ("gpu", "gres:gpu:h100:8", "12:00:00", "2G"),
    "distill_judge": ("gpu", "N/A", "12:00:00", "2G"),
    "audit_judge": ("gpu", "N/A", "4:00:00", "2G"),
    "train_policy": ("gpu", "gres:gpu:h100:1", "1-00:00:00", "3G"),
    "sample_answers": ("gpu", "gres:gpu:h100:4", "12:00:00", "2G"),
    "grade_answers": ("gpu", "N/A", "12:00:00", "2G"),
    "fit_entropy_law": ("cpu", "N/A", "1:00:00", "2G"),
    "compare_results": ("cpu", "N/A", "1:00:00", "2G"),
    "render_report": ("cpu", "N/A", "1:00:00", "2G"),
}


def manifests(project):
    """Bytes by path of all manifests but the report's, whose pages tell hosts and times."""
    found = (project.root / "results").glob("*/**/manifest*.json")
    files = {path.relative_to(project.root): path.read_bytes() for path in found}
    return {path: text for path, text in files.items() if path.parts[1] not in ("work", "report")}


def test_slurm_computes_what_this_machine_computes(submitted, finished):
    ours, theirs = manifests(submitted.project), manifests(finished)
    assert len(ours) > 20 and ours == theirs


def test_every_rule_asks_for_what_profile_and_placement_say(submitted):
    jobs = submitted.jobs()
    assert {job["rule"] for job in jobs} == set(ASKED)
    for job in jobs:
        assert job["state"] == "COMPLETED", job
        memory = "2049M" if job["id"] != job["array"] and "_" in job["id"] else ASKED[job["rule"]][3]
        assert (job["partition"], job["gres"], job["time"]) == ASKED[job["rule"]][:3], job
        assert job["memory"] == memory, job
        assert (job["account"], job["nodes"], job["cpus"]) == ("rl_group", "1", "1"), job
    calls = submitted.sbatch_options()  # of the QOS SLURM keeps nothing without accounting
    assert len(calls) > 20 and all("--qos=normal" in call.split() for call in calls), calls


def test_an_arm_leads_to_its_slurm_job(submitted):
    """The prefix of the names finds the project's jobs, the comment the artifact, provenance the job's id."""
    from workflow_scripts.artifacts.provenance import read_provenance

    by_comment = {job["comment"]: job for job in submitted.jobs()}
    assert all(job["name"].startswith("entropy-bridge_") for job in by_comment.values())
    arms = submitted.project.artifacts("policies")
    assert len(arms) == 4
    for folder in arms:
        assert by_comment[f"rule_train_policy_wildcards_{folder.name}"]["id"] == read_provenance(folder)["slurm"]


def test_jobs_that_are_ready_together_are_one_array(submission):
    """The grades of all five policies are lost: one submission of five tasks restores them."""
    for folder in (submission.project.root / "results" / "evaluations").glob("grades.*"):
        shutil.rmtree(folder)
    assert submission.run("grades") == 0, submission.log[-3000:]
    tasks = submission.jobs()
    assert len(submission.sbatch_options()) == 1 and {task["rule"] for task in tasks} == {"grade_answers"}, tasks
    assert [task["id"] for task in tasks] == [f"{tasks[0]['array']}_{number}" for number in range(1, 6)]


def test_of_the_jobs_that_are_ready_together_those_with_the_longest_chain_are_submitted_first(submission):
    """All four policies are lost: those that a judge rewards take longer, and are restored first."""
    shutil.rmtree(submission.project.root / "results" / "policies")
    assert submission.run("policies") == 0, submission.log[-3000:]
    jobs = sorted((int(job["id"]), job["comment"]) for job in submission.jobs())
    judged = [".judge_soft." in comment for _, comment in jobs]
    assert len(judged) == 4 and judged[0] and not judged[-1], jobs  # two threads submit, of which one may lag behind
