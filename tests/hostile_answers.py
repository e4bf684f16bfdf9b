r"""Answers that have hung, crashed or fooled checkers, with the verdicts that the strict rule may give on them.

Sources: huggingface/Math-Verify issues 44, 50, 55, 57, 65, 76, verl issues 469, 5635, 5839, 6673, and own probes of
math-verify 0.9.0. (name, response, reference, allowed verdicts)
"""

from workflow_scripts.rewards.rule import Verdict

E, D, U, T, X = Verdict.EQUAL, Verdict.DIFFERENT, Verdict.UNPARSABLE, Verdict.TIMEOUT, Verdict.ERROR
REFUSED = {D, U}
STOPPED = {D, U, T, X}

HOSTILE = [
    (
        "power tower of Math-Verify 65",
        r"\boxed{\dfrac{5^{\left(5^{\left(5^{\left(5^5\right)}\right)} - 4\right)} - 5}{16}}",
        "3",
        REFUSED,
    ),
    ("tower of two", r"\boxed{9^{9^{9}}}", "7", STOPPED),
    ("tower of two, twice", r"\boxed{9^{9^{9}} - 9^{9^{8}}}", "7", STOPPED),
    ("tower without braces", r"\boxed{9^9^9^9}", "7", REFUSED),
    ("huge exponent", r"\boxed{7^{99999999999}}", "7", REFUSED),
    ("huge exponent in parts", r"\boxed{7^{9999 \cdot 9999 \cdot 9999}}", "7", STOPPED),
    ("factorials", r"\boxed{((((9!)!)!)!)!}", "7", STOPPED),
    ("factorial chain", r"\boxed{9!!!!!}", "7", REFUSED),
    ("large factorial", r"\boxed{999999999!}", "7", REFUSED),
    ("large binomial", r"\boxed{\binom{10^{9}}{5 \cdot 10^{8}}}", "7", STOPPED),
    ("long sum", r"\boxed{\sum_{n=1}^{10^{9}} \sin(n^2)}", "7", STOPPED),
    ("long product", r"\boxed{\prod_{n=1}^{10^{7}} (n^n + 1)}", "7", STOPPED),
    ("hard integral", r"\boxed{\int_0^{\infty} \frac{\sin(x^{7}) e^{-x^{3}}}{1 + x^{5} + \cos x} dx}", "7", STOPPED),
    ("nested roots", r"\boxed{" + r"\sqrt{2+" * 30 + "2" + "}" * 31, "2", STOPPED | {E}),
    ("large determinant", r"\boxed{(x+1)^{999}(x-1)^{999}}", "(x^2-1)^{999}", STOPPED | {E}),
    ("wide expansion", r"\boxed{(a+b+c+d+e+f)^{200}}", "(a+b+c+d+e+g)^{200}", STOPPED),
    ("prime question", r"\boxed{2^{9999}-1 = 3}", "7", STOPPED),
    ("deep brackets", r"\boxed{" + "(" * 140 + "1" + ")" * 140 + "}", "1", STOPPED | {E}),
    ("deep fractions", r"\boxed{" + r"\frac{1}{1+" * 20 + "1" + "}" * 21, "1", STOPPED),
    ("many digits", r"\boxed{" + "9" * 250 + "}", "9", STOPPED),
    ("many boxes", r"\boxed{1}" * 2000, "2", REFUSED),
    ("unclosed boxes", r"\boxed{" * 4000, "2", REFUSED),
    ("10k characters", r"\boxed{" + "x+" * 5000 + "x}", "x", REFUSED),
    ("Python", r"\boxed{__import__('os').system('exit 1')}", "7", REFUSED),
    ("Python in LaTeX", r"\boxed{\text{exec}(\text{open}('x'))}", "7", REFUSED),
    ("lambda", r"\boxed{lambda: 0}", "0", REFUSED),
    ("null bytes", "\\boxed{7\x00}", "8", REFUSED),
    ("all unbalanced", r"\boxed{\frac{1}{\sqrt{\left(}}", "1", REFUSED),
    ("division by zero", r"\boxed{\frac{1}{0}}", "1", STOPPED),
    ("zero over zero", r"\boxed{\frac{0}{0}}", "0", STOPPED),
    ("infinite difference", r"\boxed{\infty - \infty}", "0", STOPPED),
    ("empty box", r"\boxed{}", "0", REFUSED),
    ("hedge in one box", r"\boxed{1 \text{ or } 2}", "1", REFUSED),
    ("hedge in a list", r"\boxed{1, 2, 3, 4, 5}", "3", REFUSED),
    ("hedge in a set", r"\boxed{\{1, 2\}}", "1", REFUSED),
    ("hedge in boxes", r"\boxed{1} or maybe \boxed{2}", "1", REFUSED),
    ("last of two boxes", r"\boxed{1} or rather \boxed{2}", "2", {E}),
    ("box in the thinking", r"<think>\boxed{2}</think>It is \boxed{3}", "2", REFUSED),
    ("emphasis (Math-Verify 76)", "**73**", "73", {E}),
    ("rounded too soon", r"\boxed{0.333}", r"\frac{1}{3}", REFUSED),
    ("rounded late", r"\boxed{0.333333}", r"\frac{1}{3}", {E}),
    ("tiny numbers", r"\boxed{2.1 \times 10^{-8}}", r"3.4 \times 10^{-8}", REFUSED),
    ("tiny and zero", r"\boxed{0}", r"6.6 \times 10^{-34}", REFUSED),
    ("interval and relation", r"\boxed{[1,\infty)}", r"x \ge 1", {E}),
    ("half-open intervals", r"\boxed{(1, 2]}", "[1, 2)", REFUSED),
    ("degrees and radians", r"\boxed{\frac{\pi}{4}}", r"45^\circ", {E}),
    ("degrees and number", r"\boxed{90^\circ}", "90", {E}),
    ("percent and number", r"\boxed{10\%}", "10", {E}),
    ("percent and share", r"\boxed{10\%}", "0.1", {E}),
    ("percent of a percent", r"\boxed{0.1}", "10", REFUSED),
    ("unit", r"\boxed{5 \text{ cm}}", "5", {E}),
    ("two units", r"\boxed{5 \text{ m}}", r"5 \text{ km}", REFUSED),
    ("pair without brackets", r"\boxed{1,2}", "(1,2)", {E}),
    ("pair in the other order", r"\boxed{(2,1)}", "(1,2)", REFUSED),
    ("list in the other order", r"\boxed{2, 1}", "1, 2", {E}),
    ("assignment", r"\boxed{x = 5}", "5", {E}),
    ("another variable", r"\boxed{y = 5}", "x = 5", REFUSED),
    ("base of a numeral", r"\boxed{40_8}", "40_9", REFUSED),
    ("mixed number", r"\boxed{1\frac{1}{2}}", r"\frac{3}{2}", {E}),
    ("mixed number, not a product", r"\boxed{1\frac{1}{2}}", r"\frac{1}{2}", REFUSED),
]
