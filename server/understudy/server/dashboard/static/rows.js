// Rows of a form that can be added and removed. Names hold numbers; a new row has the next one.
"use strict";
(() => {
  for (const rows of document.querySelectorAll("[data-rows]")) {
    const prefix = rows.dataset.rows;
    const list = rows.querySelector("[data-list]");
    const used = [...list.querySelectorAll(`[name^="${prefix}"]`)]
      .map((one) => Number.parseInt(one.name.slice(prefix.length), 10));
    let next = Math.max(-1, ...used) + 1;
    const tell = () => rows.dispatchEvent(new Event("rows"));
    rows.querySelector("[data-add]").addEventListener("click", () => {
      const row = document.getElementById(`row-${prefix}`).content.firstElementChild.cloneNode(true);
      for (const one of row.querySelectorAll("*")) {
        for (const name of ["id", "name", "for", "value"]) {
          const value = one.getAttribute(name);
          if (value?.includes("NUMBER")) one.setAttribute(name, value.replace("NUMBER", next));
        }
      }
      row.querySelector(".swatch")?.setAttribute("class", `swatch k${next % 8}`);
      next += 1;
      list.append(row);
      row.querySelector("input, select").focus();
      tell();
    });
    list.addEventListener("click", (event) => {
      if (!event.target.closest("[data-remove]")) return;
      event.target.closest("[data-row]").remove();
      rows.querySelector("[data-add]").focus();
      tell();
    });
  }

  const kind = document.querySelector("[data-assignment]");
  kind?.addEventListener("change", () => {
    document.querySelector("[data-metadata]").hidden = kind.value !== "METADATA";
  });

  // What a preview says is of the form as it was then.
  const preview = document.getElementById("preview");
  const forget = () => { if (preview) preview.replaceChildren(); };
  for (const form of document.querySelectorAll("[data-edit]")) {
    let isChanged = false;
    for (const name of ["input", "rows"]) {
      form.addEventListener(name, () => { isChanged = true; forget(); }, true);
    }
    form.addEventListener("submit", () => { isChanged = false; });
    for (const other of document.querySelectorAll("dialog form")) {
      other.addEventListener("submit", () => { isChanged = false; });
    }
    addEventListener("beforeunload", (event) => { if (isChanged) event.preventDefault(); });
  }
})();
