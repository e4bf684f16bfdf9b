"""Disciplines fall into the groups of the reward paper, in whatever form they are named."""

import pytest

from workflow_scripts.data.subjects import DISCIPLINES, GROUPS, group_of


def test_there_are_the_48_disciplines_of_the_paper_each_in_one_group():
    numbers = [number for names in DISCIPLINES.values() for number in names]
    assert len(numbers) == len(set(numbers)) == 48
    assert [len(DISCIPLINES[group]) for group in GROUPS[:-1]] == [19, 11, 7, 11]


def test_number_name_and_both_give_the_same_group():
    for group, names in DISCIPLINES.items():
        for number, name in names.items():
            assert {group_of(text) for text in (str(number), name, name.upper(), f"{number} {name}")} == {group}


@pytest.mark.parametrize(
    ("subject", "group"),
    [
        ("Information Sci & System Science", None),
        ("Computer Science & Technology", "stem"),
        ("Power & Electrical Engineering", "stem"),
        ("Mechanics", "stem"),
        ("Mechanical Engineering", "stem"),
        ("Medicine", "applied_sciences"),
        ("Basic Medicine", "applied_sciences"),
        ("Social Sciences", "social_sciences"),
        ("humanities", "humanities"),
        ("999", "others"),
        ("", "others"),
        ("Others", "others"),
        ("1234", None),
        ("101", None),
        ("Alchemy", None),
    ],
)
def test_other_names(subject, group):
    assert group_of(subject) == group
