// What every page does: parts that keep themselves up to date, dialogs, and copying.
"use strict";
(() => {
  const trouble = document.getElementById("trouble");
  const tell = (text) => {
    if (trouble.textContent !== text) trouble.textContent = text;
    trouble.hidden = !text;
  };

  // A part says which version of it is shown, and the server says nothing if there is no other.
  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const part = ctx.sourceElement;
    if (part.dataset.etag) ctx.request.headers["If-None-Match"] = part.dataset.etag;
  });
  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden && event.detail.ctx.sourceElement.hasAttribute("data-live")) {
      event.preventDefault();
    }
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const part = ctx.sourceElement;
    const told = ctx.response.headers.get("x-understudy-trouble");
    const what = part.hasAttribute("data-live") ? "Not up to date" : "Not done";
    tell(told ? `${what}: ${decodeURIComponent(told)}` : "");
    if (!part.hasAttribute("data-live")) return;
    const etag = ctx.response.headers.get("etag");
    if (etag) part.dataset.etag = etag;
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx?.sourceElement?.hasAttribute("data-live")) {
      tell("Not up to date: the dashboard does not answer. The page tries again.");
    }
  });

  // Anything with data-opens="id" opens that dialog; data-closes closes the one it is in.
  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-opens]");
    if (opens) document.getElementById(opens.dataset.opens)?.showModal();
    if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
    const copies = event.target.closest("[data-copies]");
    if (copies) copy(copies);
  });

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copies);
    const name = button.dataset.name ?? (button.dataset.name = button.textContent);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = name; }, 2000);
  };

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    if (form.dataset.sent) event.preventDefault();
    else if (form.method === "post" && !form.hasAttribute("hx-post")) form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
