"""The invalidation matrix as a table: what was changed on a finished run, and what the next run does to every job.

One column per stage, one letter per job of that stage that the changed config asks for, jobs sorted by name:

    .  nothing is done      C  computed      r  restored: published again, in seconds      E  error
    -  held back: a job before it failed     0  the config asks for no job of this stage

A row that starts with | goes on where the row above it ended.

Sorted by name, the jobs of micro.yaml are: data demonstrations, pairs, questions; models base, judge_base, teacher;
arms judge_soft under kl_cov and none, then rule under kl_cov and none; answers and grades of these, then of the base
policy.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e import changes
from tests.project import Project
from workflow_scripts.config.stages import STAGES as ALL_STAGES

STAGES = tuple(stage for stage in ALL_STAGES if not stage.startswith("fetch_"))  # nothing here is downloaded

MATRIX = """
change                                 data  models expl. label  judge audit arms   answers  grades   law comp. report
# nothing that decides a result: code, then place and way
a_comment                              ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_docstring                            ...   ...    .     .      .     .     ....   .....    .....    .   .     .
formatting                             ...   ...    .     .      .     .     ....   .....    .....    .   .     .
an_inert_module                        ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_new_loss_file                        ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_rollout_engine_that_no_config_names  ...   ...    .     .      .     .     ....   .....    .....    .   .     .
the_vllm_engines_of_judges             ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_deepspeed_file_that_no_arm_names     ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_loss_accepted_as_equal               ...   ...    .     .      .     .     ....   .....    .....    .   .     .
touched_files                          ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_git_clone_beside_the_results         ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_symlink_to_the_checkout              ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_path_with_blanks_and_accents         ...   ...    .     .      .     .     ....   .....    .....    .   .     .
results_moved_to_scratch               ...   ...    .     .      .     .     ....   .....    .....    .   .     .
another_hash_seed_and_thread_count     ...   ...    .     .      .     .     ....   .....    .....    .   .     .
lost_snakemake                         ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_crlf_config                          ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_reordered_config                     ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_config_that_extends_another          ...   ...    .     .      .     .     ....   .....    .....    .   .     .
placement_checkpoints_and_retries      ...   ...    .     .      .     .     ....   .....    .....    .   .     .
results_under_another_name             ...   ...    .     .      .     .     ....   .....    .....    .   .     .
| the_title_of_a_study                 ...   ...    .     .      .     .     ....   .....    .....    .   .     C
an_empty_results_root                  CCC   ...    .     .      .     .     ....   .....    .....    .   .     .
forced                                 rrr   rrr    r     r      r     r     rrrr   rrrrr    rrrrr    r   r     r
the_rules_shell_line                   ...   ...    .     .      .     .     ....   .....    .....    .   .     .
# code that counts
a_helper_of_the_report                 ...   ...    .     .      .     .     ....   .....    .....    .   .     C
the_main_block_of_a_stage              ...   ...    .     .      .     .     ....   .....    .....    .   .     C
a_claim                                ...   ...    .     .      .     .     ....   .....    .....    .   C     C
a_published_number                     ...   ...    .     .      .     .     ....   .....    .....    .   .     C
the_rules_shell_line_and_a_claim       ...   ...    .     .      .     .     ....   .....    .....    .   C     C
the_code_of_a_loss                     ...   ...    .     .      .     .     C.C.   r.r..    r.r..    r   r     r
| lost_snakemake_and_the_loss_again    ...   ...    .     .      .     .     C.C.   r.r..    r.r..    r   r     r
the_code_of_the_first_stage            CCC   rrr    r     r      r     r     rrrr   rrrrr    rrrrr    r   r     r
code_of_every_stage                    CCC   CCC    C     C      C     C     CCCC   CCCCC    CCCCC    C   C     C
the_judges_prompt                      ...   .CC    C     C      C     C     CC..   CC...    CCCCC    C   C     C
a_library_that_is_not_installed        ...   EEE    -     -      -     -     ----   -----    -----    -   -     -
# settings that count
an_entropy_coefficient                 ...   ...    .     .      .     .     C.C.   C.C..    C.C..    C   C     C
| flipped_back                         ...   ...    .     .      .     .     ....   .....    .....    r   r     r
two_values_swapped                     ...   ...    .     .      .     .     C.C.   C.C..    C.C..    C   C     C
a_reward_setting                       ...   ...    .     .      .     .     CC..   CC...    CC...    C   C     C
a_renamed_entropy_setting              ...   ...    .     .      .     .     r.r.   r.r..    r.r..    C   C     C
| a_renamed_judge                      ...   ...    .     .      r     r     rr..   .....    .....    .   C     C
a_stricter_gate_that_the_judge_passes  ...   ...    .     .      .     C     rr..   rr...    rr...    r   C     C
a_gate_that_the_judge_fails            ...   ...    .     .      .     C     EE..   --...    --...    -   -     -
| flipped_back                         ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_new_arm                              ...   ...    .     .      .     .     ..C    ..r.     ..r.     C   C     C
a_removed_reward                       ...   ..     0     0      0     0     ..     ...      ...      C   C     C
| flipped_back                         ...   ...    .     .      .     .     ....   .....    .....    r   r     r
a_new_seed                             .C.C.C .C.C.C .C    .C     .C    .C    ..C..  ..C...C  ..C...C  C   C     C
a_new_benchmark_from_a_file            .C..  ..     0     0      0     0     ..     CCC      CCC      C   C     C
| that_file_touched                    ....  ..     0     0      0     0     ..     ...      ...      .   .     .
| that_file_changed                    .C..  ..     0     0      0     0     ..     CCC      CCC      .   C     C
a_grader_less                          ...   ...    .     .      .     .     ....   .....    CCCCC    .   C     C
| flipped_back                         ...   ...    .     .      .     .     ....   .....    .....    .   r     r
# accidents and repairs
lost_policies                          ...   ...    .     .      .     .     ....   .....    .....    .   .     .
| the_policies_are_asked_for           ...   ...    .     .      .     .     rrrr   .....    .....    .   .     .
| nothing                              ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_table_made_again                     ..C   ...    .     .      .     .     ....   .....    .....    .   .     .
| nothing                              ...   ...    .     .      .     .     ....   .....    .....    .   .     .
a_pruned_exploration_and_a_new_arm     ...   ...    C     r      .     .     C..    C...     C...     C   C     C
broken_code_and_a_new_setting          ...   ...    .     .      .     .     ECE.   -C-..    -C-..    -   -     -
| the_code_is_mended                   ...   ...    .     .      .     .     C...   C....    C....    C   C     C
"""


@dataclass(frozen=True)
class Row:
    """One change, and the outcome of every job: one text per stage."""

    change: Callable[[Project], list[str] | None]
    expected: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.change.__name__

    def __str__(self) -> str:
        return as_line(self.name, self.expected)


def read(table: str) -> list[list[Row]]:
    """The rows of a table, those that follow each other on one project together."""
    chains: list[list[Row]] = []
    for line in table.strip().splitlines()[1:]:
        if line.startswith("#"):
            continue
        follows, (name, *cells) = line.startswith("|"), line.lstrip("| ").split()
        row = Row(getattr(changes, name), tuple(cells))
        assert len(cells) == len(STAGES), line
        chains[-1].append(row) if follows else chains.append([row])
    return chains


def as_line(name: str, cells: tuple[str, ...]) -> str:
    """A line of the table."""
    widths = (5, 6, 5, 6, 5, 5, 6, 8, 8, 3, 5, 6)
    return f"{name:<38} " + " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
