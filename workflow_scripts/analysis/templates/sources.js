// A "source" control lists its artifacts when it is opened; a link into something folded unfolds it.
"use strict";
{
  const paths = JSON.parse(document.getElementById("paths").textContent);

  const expanded = (ranges) =>
    ranges.split(" ").flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return paths.slice(first, last + 1);
    });

  const fill = (details) => {
    const list = document.createElement("ul");
    for (const path of expanded(details.dataset.sources)) {
      const item = document.createElement("li");
      item.textContent = path;
      list.append(item);
    }
    details.querySelector("p").replaceWith(list);
  };

  for (const details of document.querySelectorAll("details[data-sources]")) {
    details.addEventListener("toggle", () => fill(details), { once: true });
  }

  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
}
