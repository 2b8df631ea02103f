"use strict";
// Counts of the saved views in the sidebar come after the page; columns are moved up and down in their form.
document.addEventListener("DOMContentLoaded", async () => {
    const counts = document.querySelectorAll("[data-view-count]");
    if (!counts.length) return;
    const answer = await fetch(counts[0].dataset.countsAt, { headers: { Accept: "application/json" } });
    if (!answer.ok || !(answer.headers.get("Content-Type") || "").includes("json")) return;
    const told = await answer.json();
    for (const each of counts) each.textContent = told[each.dataset.viewCount] ?? "";
});

document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    const row = button.closest("li");
    const other = button.dataset.move === "up" ? row.previousElementSibling : row.nextElementSibling;
    // The first column leads to the record, and stays where it is.
    if (!other || !other.querySelector("[data-move]")) return;
    if (button.dataset.move === "up") other.before(row);
    else other.after(row);
    button.focus();
});

document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && event.target.closest("details.ops-popover[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
});
