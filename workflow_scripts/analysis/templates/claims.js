// Claims are filtered by verdict and paper: a pressed button shows its claims.
{
  const block = document.querySelector(".claims");
  const claims = block ? [...block.querySelectorAll(".claim")] : [];

  const chosen = (kind) =>
    [...block.querySelectorAll(`button[data-${kind}][aria-pressed=true]`)].map((button) => button.dataset[kind]);

  const filter = () => {
    const [verdicts, papers] = [chosen("verdict"), chosen("paper")];
    for (const claim of claims) {
      claim.hidden = !verdicts.includes(claim.dataset.verdict) || !papers.includes(claim.dataset.paper);
    }
    const shown = claims.filter((claim) => !claim.hidden).length;
    block.querySelector(".count").textContent = `${shown} of ${claims.length} claims`;
  };

  // The first press of a group shows that one alone; the last one pressed again shows all.
  const press = (button) => {
    const group = [...button.parentElement.querySelectorAll("button")];
    const pressed = (one) => one.getAttribute("aria-pressed") === "true";
    if (group.every(pressed)) group.forEach((one) => one.setAttribute("aria-pressed", one === button));
    else button.setAttribute("aria-pressed", !pressed(button));
    if (!group.some(pressed)) group.forEach((one) => one.setAttribute("aria-pressed", true));
    filter();
  };
  block?.querySelectorAll(".filters button").forEach((button) => button.addEventListener("click", () => press(button)));
}
