// The explorer searches, filters and pages the sample of answers that is embedded as JSON; all of it is shown as text.
{
  const PAGE = 12;
  const GRADERS = ["truth", "rule", "contains", "teacher", "judge"];
  const block = document.getElementById("explorer");

  const element = (tag, text, className) => {
    const node = document.createElement(tag);
    node.textContent = text;
    if (className) node.className = className;
    node.dir = "auto";
    return node;
  };

  const start = () => {
    const data = JSON.parse(document.getElementById("answers_data").textContent);
    const answers = data.rows.map(([question, arm, sample, stratum, ...rest]) => {
      const [benchmark, subject, prompt, reference] = data.questions[question];
      const [truth, rule, contains, teacher, judge, teacherPYes, judgePYes, truncated, length, response] = rest;
      const text = `${prompt}\n${reference}\n${response}`.toLowerCase();
      const verdicts = [truth, rule, contains, teacher, judge];
      const chances = [null, null, null, teacherPYes, judgePYes];
      const shown = { prompt, reference, response, verdicts, chances, length, sample };
      return { ...shown, text, arm, stratum, benchmark, subject, truncated };
    });
    const form = block.querySelector("form");
    let page = 0;

    for (const name of ["benchmark", "subject"]) {
      for (const value of [...new Set(answers.map((answer) => answer[name]))].sort()) {
        const option = element("option", value);
        option.value = value;
        form.elements[name].append(option);
      }
    }

    const matches = () => {
      const wanted = Object.fromEntries(new FormData(form));
      const words = wanted.text.trim().toLowerCase();
      return answers.filter(
        (answer) =>
          ["stratum", "arm", "benchmark", "subject"].every((name) => !wanted[name] || String(answer[name]) === wanted[name]) &&
          (!wanted.truncated || answer.truncated) &&
          answer.text.includes(words),
      );
    };

    const verdict = (name, value, chance) => {
      const said = value === null ? "–" : value ? "yes" : "no";
      const sure = chance === null ? "" : `, P(YES) ${chance.toFixed(3)}`;
      return element("span", `${name} ${said}${sure}`, value === null ? "" : said);
    };

    const card = (answer) => {
      const node = document.createElement("article");
      node.className = "card";
      const reference = element("p", "reference ", "reference");
      reference.append(element("code", answer.reference));
      const verdicts = element("p", "", "verdicts");
      verdicts.append(...answer.verdicts.map((value, n) => verdict(GRADERS[n], value, answer.chances[n])));
      verdicts.append(element("span", `${answer.length} tokens${answer.truncated ? ", cut off" : ""}`));
      const where = `${answer.benchmark} · ${answer.subject} · ${data.arms[answer.arm]} · sample ${answer.sample}`;
      const texts = [element("p", where, "subject"), element("p", answer.prompt, "question")];
      node.append(...texts, element("pre", answer.response), reference, verdicts);
      return node;
    };

    const show = () => {
      const found = matches();
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      page = Math.max(0, Math.min(page, pages - 1));
      block.querySelector(".cards").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(card));
      block.querySelector(".count").textContent = `${found.length} of ${answers.length} answers`;
      block.querySelector(".pager span").textContent = `page ${page + 1} of ${pages}`;
      for (const button of block.querySelectorAll(".pager button")) {
        const next = page + Number(button.dataset.turn);
        button.disabled = next < 0 || next >= pages;
      }
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      page = 0;
      show();
    });
    for (const button of block.querySelectorAll(".pager button")) {
      button.addEventListener("click", () => {
        page += Number(button.dataset.turn);
        show();
      });
    }
    block.querySelector(".unscripted").remove();
    form.hidden = false;
    block.querySelector(".pager").hidden = false;
    show();
  };

  if (block) start();
}
