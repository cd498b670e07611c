// Shares that always sum to 100 %: moving one moves the others in proportion, but for those locked.
"use strict";
(() => {
  const WHOLE = 10000; // basis points, as the service counts
  for (const split of document.querySelectorAll("[data-split]")) {
    const rows = () => [...split.querySelectorAll("[data-row]")];
    const weight = (row) => row.querySelector("[data-weight]");
    const slider = (row) => row.querySelector("[data-slider]");
    const isLocked = (row) => row.querySelector("[data-lock]").checked;
    const points = (row) => {
      const value = Math.round(Number.parseFloat(weight(row).value) * 100);
      return Number.isFinite(value) ? Math.min(WHOLE, Math.max(0, value)) : 0;
    };
    const put = (row, value, isTyped = false) => {
      if (!isTyped) weight(row).value = String(value / 100);
      slider(row).value = value;
      slider(row).setAttribute("aria-valuetext", `${value / 100} %`);
    };
    const show = () => {
      const sum = rows().reduce((total, row) => total + points(row), 0);
      const told = split.querySelector("[data-sum]");
      told.textContent = `Sum: ${sum / 100} %`;
      told.classList.toggle("off", sum !== WHOLE);
      for (const row of rows()) slider(row).disabled = isLocked(row);
    };
    // By largest remainder, so that what is shared out is shared out to the last point.
    const share = (some, total) => {
      const before = some.reduce((sum, row) => sum + points(row), 0);
      const exact = some.map((row) => (before ? (points(row) * total) / before : total / some.length));
      const whole = exact.map(Math.floor);
      let left = total - whole.reduce((sum, value) => sum + value, 0);
      const order = exact.map((value, index) => [value - whole[index], index]).sort((a, b) => b[0] - a[0]);
      for (const [, index] of order) if (left > 0) { whole[index] += 1; left -= 1; }
      some.forEach((row, index) => put(row, whole[index]));
    };
    const move = (moved, wanted, isTyped) => {
      const others = rows().filter((row) => row !== moved);
      const locked = others.filter(isLocked).reduce((sum, row) => sum + points(row), 0);
      const free = others.filter((row) => !isLocked(row));
      const most = WHOLE - locked;
      const value = free.length ? Math.min(wanted, most) : most;
      put(moved, value, isTyped && value === wanted);
      share(free, most - value);
      show();
    };
    split.addEventListener("input", (event) => {
      const row = event.target.closest("[data-row]");
      if (event.target.matches("[data-slider]")) move(row, Number(event.target.value), false);
      if (event.target.matches("[data-weight]") && event.target.value !== "") move(row, points(row), true);
      if (event.target.matches("[data-lock]")) show();
    });
    split.addEventListener("rows", () => {
      // What was removed goes to those that are left.
      const free = rows().filter((row) => !isLocked(row));
      const locked = rows().filter(isLocked).reduce((sum, row) => sum + points(row), 0);
      if (free.length) share(free, Math.max(0, WHOLE - locked));
      show();
    });
    for (const row of rows()) put(row, points(row), true);
    show();
  }
})();
