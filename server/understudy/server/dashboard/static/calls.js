// Lists of calls: a call is read in a drawer, and meanwhile the list keeps still.
"use strict";
(() => {
  const fields = document.querySelector(".filters .fields");
  // Where there is little room, fields that say nothing do not stand before the list.
  if (fields && !fields.hasAttribute("data-held") && matchMedia("(max-width: 620px)").matches) {
    fields.open = false;
  }
})();
(() => {
  const drawer = document.getElementById("drawer");
  const inside = document.getElementById("drawer-inside");
  const note = document.getElementById("live-note");
  if (!drawer) return;
  const empty = inside.innerHTML;

  const say = () => {
    if (note) note.textContent = drawer.open ? "Paused while a call is open" : "";
  };
  new MutationObserver(say).observe(drawer, { attributeFilter: ["open"] });

  drawer.addEventListener("close", () => { inside.innerHTML = empty; });
  drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });

  document.addEventListener("htmx:before:request", (event) => {
    const part = event.detail.ctx.sourceElement;
    if (drawer.open && part.hasAttribute("data-live")) event.preventDefault();
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const told = ctx.response.headers.get("x-understudy-trouble");
    if (told && ctx.sourceElement.dataset.opens === "drawer") {
      inside.textContent = decodeURIComponent(told);
    }
  });
})();
