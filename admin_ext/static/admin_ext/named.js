"use strict";
// What others draw, for who uses a keyboard or listens: select2's fields get the name of the label whose select they stand
// for, and links that lead nowhere but do something become buttons.
(() => {
    const nameOf = (select) => {
        const label = select.id && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
        return (label ? label.textContent : select.getAttribute("aria-label") || select.name).replace("*", "").trim();
    };
    const name = (container) => {
        const select = container.previousElementSibling;
        if (!select || select.tagName !== "SELECT") return;
        const parts = ".select2-selection, .select2-selection__rendered, .select2-search__field";
        for (const each of container.querySelectorAll(parts)) each.setAttribute("aria-label", nameOf(select));
    };
    const nameAll = (root) => {
        root.querySelectorAll(".select2-container").forEach(name);
        for (const each of root.querySelectorAll("a:not([href])[x-on\\:click]")) {
            each.setAttribute("role", "button");
            each.tabIndex = 0;
        }
    };
    document.addEventListener("keydown", (event) => {
        if (!["Enter", " "].includes(event.key) || !event.target.matches("a[role=button]:not([href])")) return;
        event.preventDefault();
        event.target.click();
    });
    window.addEventListener("load", () => {
        nameAll(document);
        // Rows that are added to a form bring their own.
        new MutationObserver((changes) => {
            for (const { addedNodes } of changes) {
                for (const node of addedNodes) {
                    if (node.nodeType !== 1) continue;
                    if (node.matches(".select2-container")) name(node);
                    else nameAll(node);
                }
            }
        }).observe(document.body, { childList: true, subtree: true });
    });
})();
