"""Subjects of the reward paper: 48 disciplines in four groups, and others (2503.23829, Tables 5 and 6).

The disciplines and their numbers are those of the Chinese standard GB/T 13745. A model labelled the questions with a
number (999: uncertain); the names are matched too, in any of the short forms in which they are written.
"""

import re
from functools import cache

STEM, SOCIAL, HUMANITIES, APPLIED, OTHERS = "stem", "social_sciences", "humanities", "applied_sciences", "others"
GROUPS = (STEM, SOCIAL, HUMANITIES, APPLIED, OTHERS)

DISCIPLINES: dict[str, dict[int, str]] = {
    STEM: {
        110: "Mathematics",
        120: "Information Science and System Science",
        130: "Mechanics",
        140: "Physics",
        150: "Chemistry",
        170: "Earth Science",
        180: "Biology",
        430: "Materials Science",
        460: "Mechanical Engineering",
        470: "Power and Electrical Engineering",
        510: "Electronics and Communication Technology",
        520: "Computer Science and Technology",
        530: "Chemical Engineering",
        560: "Civil Engineering",
        570: "Water Conservancy Engineering",
        580: "Transportation Engineering",
        610: "Environmental Science and Resource Technology",
        620: "Safety Science and Technology",
        910: "Statistics",
    },
    SOCIAL: {
        190: "Psychology",
        630: "Management",
        790: "Economics",
        810: "Political Science",
        820: "Law",
        840: "Sociology",
        850: "Ethnology",
        860: "Journalism and Communication",
        870: "Library and Information Science",
        880: "Education",
        890: "Sports Science",
    },
    HUMANITIES: {
        710: "Marxism",
        720: "Philosophy",
        730: "Religious Studies",
        740: "Linguistics",
        750: "Literature",
        760: "Art",
        770: "History",
    },
    APPLIED: {
        210: "Agronomy",
        230: "Animal Husbandry and Veterinary Science",
        310: "Basic Medicine",
        320: "Clinical Medicine",
        330: "Preventive Medicine",
        350: "Pharmacy",
        360: "Chinese Medicine",
        413: "Information and System Science Related Engineering",
        416: "Natural Science Related Engineering",
        420: "Surveying and Mapping",
        550: "Food Science",
    },
}

# Ours: the groups' own names, short forms, and subjects of WebInstruct-verified and TheoremQA that the paper lacks.
_ALSO = {
    STEM: ("STEM", "Other STEM", "Math", "Engineering", "EECS", "Environmental Science", "Electronics"),
    SOCIAL: ("Social Sciences", "Business", "Finance", "Journalism", "Library/Info"),
    HUMANITIES: ("Humanities", "Arts", "Religion"),
    APPLIED: ("Applied Sciences", "Health", "Medicine", "Veterinary Science"),
    OTHERS: ("Others", "Other", "Unclassified", "None", "N/A", ""),
}
_FILLERS = {"and", "engineering", "science", "sciences", "technology", "studies", "the", "of"}
_NUMBER = re.compile(r"\d+")


def group_of(subject: str) -> str | None:
    """Return the group of a discipline, given as number, name or both ("110", "Mathematics", "110 Mathematics").

    No subject, or the label of an uncertain one, is `others`; None for a name that is not known.
    """
    if number := _NUMBER.search(subject):
        return _by_number().get(int(number[0]))
    return _by_name().get(_words(subject))


@cache
def _by_number() -> dict[int, str]:
    return {number: group for group, names in DISCIPLINES.items() for number in names} | {999: OTHERS}


@cache
def _by_name() -> dict[tuple[str, ...], str]:
    named = {_words(name): group for group, names in DISCIPLINES.items() for name in names.values()}
    return named | {_words(name): group for group, names in _ALSO.items() for name in names}


def _words(name: str) -> tuple[str, ...]:
    """The words that tell a name from others, sorted; all words where there is none."""
    words = set(re.findall(r"[a-z]+", name.casefold()))
    return tuple(sorted(words - _FILLERS or words))
