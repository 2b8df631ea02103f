"use strict";
// Counts of the saved views in the sidebar come after the page; columns are moved up and down in their form.
document.addEventListener("DOMContentLoaded", async () => {
    const counts = document.querySelectorAll("[data-view-count]");
    if (!counts.length) return;
    const answer = await fetch(counts[0].dataset.countsAt, { headers: { Accept: "application/json" } });
    if (!answer.ok || !(answer.headers.get("Content-Type") || "").includes("json")) return;
    const told = await answer.json();
    for (const each of counts) each.textContent = told[each.dataset.viewCount] ?? (each.textContent ? "–" : "");
});

// How many rows each choice would leave comes when the filters are looked at, and into the words of the choices.
document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-facets-at]");
    if (!place) return;
    const filters = place.parentElement;
    new IntersectionObserver(async (seen, observer) => {
        if (!seen.some((each) => each.isIntersecting)) return;
        observer.disconnect();
        const answer = await fetch(place.dataset.facetsAt, { headers: { Accept: "application/json" } });
        if (!answer.ok || !(answer.headers.get("Content-Type") || "").includes("json")) return;
        for (const [name, counts] of Object.entries(await answer.json())) {
            for (const option of filters.querySelectorAll(`select[name="${CSS.escape(name)}"] option`)) {
                if (option.value in counts) option.textContent += ` (${counts[option.value]})`;
            }
        }
    }).observe(filters);
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
