// The brake of the mirror: the dialog says which silent model the button was for.
"use strict";
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-silent]");
  if (!button) return;
  const dialog = document.getElementById(button.dataset.opens);
  const name = button.dataset.silent;
  dialog.querySelector("[name=silent_model]").value = name;
  dialog.querySelector("[data-silent-name]").textContent = name || "every silent model";
});
