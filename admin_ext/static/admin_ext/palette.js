/* The command palette: Enter goes to the first that was found, also when it was pressed before anything was. */
(function () {
  "use strict";
  let goTo = null;

  document.addEventListener("keydown", function (event) {
    const input = event.target;
    if (event.key !== "Enter" || input.id !== "search-input-command") return;
    if (input.dataset.found === input.value) return; // unfold goes to the one that is chosen
    event.stopImmediatePropagation();
    event.preventDefault();
    if (!input.value.trim()) return;
    goTo = input.value;
    htmx.ajax("GET", input.getAttribute("hx-get") + "&s=" + encodeURIComponent(input.value), {
      source: input, target: "#command-results", select: "#command-results-list",
    });
  }, true);

  document.addEventListener("htmx:afterSettle", function (event) {
    if (event.target.id !== "command-results") return;
    const input = document.getElementById("search-input-command");
    const first = event.target.querySelector("li a");
    input.dataset.found = input.value;
    if (goTo !== null && goTo === input.value && first) window.location = first.href;
    goTo = null;
    const palette = input.closest("[x-data]");
    if (first && palette) Alpine.$data(palette).currentIndex = 1;
  });
})();
