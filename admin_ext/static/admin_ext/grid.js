// Cells that are edited in place. What the server says is right stands in `was`, what was typed over it in `mine`.
(() => {
    const grid = document.getElementById("grid");
    if (!grid) return;
    const form = document.getElementById("grid-form");
    const columns = new Map(JSON.parse(document.getElementById("grid-columns").textContent).map((each) => [each.name, each]));
    const saveButton = document.getElementById("grid-save");
    const restoreButton = document.getElementById("grid-restore");
    const toldBox = document.getElementById("grid-told");
    const conflictBox = document.getElementById("grid-conflicts");
    const rows = [...grid.tBodies[0].rows];
    const matrix = rows.map((row) => [...row.querySelectorAll("td")]);
    const cells = new Map();
    matrix.forEach((line, r) => line.forEach((td, c) => cells.set(td, {
        row: r, at: c, name: td.dataset.column, editable: !td.hasAttribute("aria-readonly"),
        was: { value: td.dataset.value, text: td.textContent, title: td.title }, mine: null, error: "", theirs: null,
    })));
    let active = null;
    let editor = null;
    let saving = false;

    const columnOf = (td) => columns.get(cells.get(td).name);
    const changed = () => [...cells.keys()].filter((td) => cells.get(td).mine);
    const nameOf = (td) => rows[cells.get(td).row].querySelector("a").textContent;

    function element(tag, text, ...classes) {
        const made = document.createElement(tag);
        made.textContent = text;
        made.classList.add(...classes);
        return made;
    }

    // -- what is seen ------------------------------------------------------------------------------

    function paint(td) {
        const cell = cells.get(td);
        const shown = cell.mine || cell.was;
        td.replaceChildren(element("span", shown.text, "ops-grid-value"));
        td.title = shown.title || "";
        td.classList.toggle("ops-grid-changed", Boolean(cell.mine));
        td.classList.toggle("ops-grid-conflict", Boolean(cell.theirs));
        if (cell.error) td.setAttribute("aria-invalid", "true");
        else td.removeAttribute("aria-invalid");
        if (cell.editable) td.removeAttribute("aria-readonly");
        else td.setAttribute("aria-readonly", "true");
        if (cell.mine) td.append(element("span", "changed", "ops-aloud"));
        if (cell.error) td.append(element("span", cell.error, "ops-grid-wrong"));
    }

    function tally() {
        const number = changed().length;
        const open = [...cells.values()].filter((cell) => cell.theirs).length;
        saveButton.disabled = restoreButton.disabled = !number || saving;
        document.getElementById("grid-count").textContent = saving ? "Saving …"
            : !number ? "Nothing changed yet"
            : `${number} cell${number === 1 ? "" : "s"} changed, not saved yet${open ? `; ${open} to choose` : ""}`;
    }

    function tell(text, kind, link) {
        toldBox.replaceChildren();
        if (!text) return;
        const line = element("p", text, "ops-grid-message", `ops-grid-${kind}`);
        if (link) {
            const way = element("a", "Undo …", "text-link");
            way.href = link;
            line.append(" ", way);
        }
        toldBox.append(line);
    }

    // -- values ------------------------------------------------------------------------------------

    function put(td, value, text, title) {
        const cell = cells.get(td);
        const choice = columnOf(td).choices.find(([stored, label]) => stored === value || label.toLowerCase() === value.toLowerCase());
        if (choice) [value, text] = choice;
        const same = value === cell.was.value;
        cell.mine = same ? null : { value, text: text === undefined ? value : text, title: title || "" };
        cell.error = "";
        if (same) cell.theirs = null;
        rows[cell.row].querySelector("[data-row-error]").textContent = "";
        paint(td);
        showConflicts();
        tally();
    }

    function restore(td) {
        const cell = cells.get(td);
        Object.assign(cell, { mine: null, error: "", theirs: null });
        paint(td);
        showConflicts();
        tally();
    }

    // -- moving ------------------------------------------------------------------------------------

    function activate(td, { focus = true } = {}) {
        if (!td) return;
        if (active) active.tabIndex = -1;
        active = td;
        td.tabIndex = 0;
        if (focus) td.focus();
    }

    function move(down, right) {
        const cell = cells.get(active);
        const line = matrix[Math.max(0, Math.min(matrix.length - 1, cell.row + down))];
        activate(line[Math.max(0, Math.min(line.length - 1, cell.at + right))]);
    }

    function nextEditable(step) {
        const all = [...cells.keys()];
        let at = all.indexOf(active) + step;
        while (all[at] && !cells.get(all[at]).editable) at += step;
        return all[at];
    }

    // -- editing -----------------------------------------------------------------------------------

    function begin(td, { empty = false } = {}) {
        const cell = cells.get(td);
        if (!cell.editable || editor || saving) return;
        const column = columnOf(td);
        const value = empty ? "" : (cell.mine || cell.was).value;
        let input;
        if (column.kind === "choice") {
            input = document.createElement("select");
            const options = column.needed ? column.choices : [["", ""], ...column.choices];
            options.forEach(([stored, label]) => input.append(new Option(label, stored)));
            input.value = (cell.mine || cell.was).value;
        } else {
            input = document.createElement(column.kind === "long" ? "textarea" : "input");
            if (column.kind === "day") input.type = "date";
            if (column.kind === "number") input.inputMode = "decimal";
            input.value = value;
            if (column.kind === "reference") offer(input, column);
        }
        input.autocomplete = "off";
        input.setAttribute("aria-label", `${column.label} of ${nameOf(td)}`);
        input.className = "ops-grid-editor";
        editor = { td, input };
        td.replaceChildren(input);
        if (column.kind === "reference") {
            td.append(editor.list = document.createElement("datalist"));
            editor.list.id = "grid-offered";
            input.setAttribute("list", "grid-offered");
        }
        input.focus();
        if (!empty && input.select) input.select();
        input.addEventListener("blur", () => { if (editor && editor.input === input) end(true); });
    }

    function offer(input, column) {
        let waiting = 0;
        const ask = () => {
            clearTimeout(waiting);
            waiting = setTimeout(async () => {
                const query = new URLSearchParams({ field: column.name, term: input.value });
                const answer = await fetch(`${grid.dataset.choices}?${query}`).catch(() => null);
                if (!answer || !answer.ok || !editor || editor.input !== input) return;
                const { found } = await answer.json();
                if (!editor || editor.input !== input) return;
                editor.list.replaceChildren(...found.map((each) => {
                    const option = new Option(each.text, each.value);
                    option.label = each.text;
                    return option;
                }));
            }, 150);
        };
        input.addEventListener("input", ask);
        ask();
    }

    function end(keep) {
        const { td, input, list } = editor;
        editor = null;
        if (!keep || (input.validity && input.validity.badInput)) return paint(td);
        const found = list && [...list.options].find((option) => option.value === input.value);
        const cell = cells.get(td);
        const now = (cell.mine || cell.was).value;
        if (input.value === now) return paint(td);
        const text = input.tagName === "SELECT" ? input.selectedOptions[0]?.label : undefined;
        return put(td, input.value, text, found ? found.label : "");
    }

    // -- keys, mouse, clipboard --------------------------------------------------------------------

    grid.addEventListener("keydown", (event) => {
        if (!active || event.isComposing) return;
        if (editor) {
            if (event.key === "Escape") { end(false); active.focus(); event.preventDefault(); event.stopPropagation(); }
            else if (event.key === "Enter" && !event.shiftKey && !event.altKey) { end(true); active.focus(); move(1, 0); event.preventDefault(); }
            else if (event.key === "Tab") tab(event);
            return;
        }
        if (!cells.has(event.target) || ((event.ctrlKey || event.metaKey || event.altKey) && !["Home", "End"].includes(event.key))) return;
        const line = matrix[cells.get(active).row];
        const ways = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0] };
        if (ways[event.key]) move(...ways[event.key]);
        else if (event.key === "Home") activate(event.ctrlKey ? matrix[0][0] : line[0]);
        else if (event.key === "End") activate(event.ctrlKey ? matrix.at(-1).at(-1) : line.at(-1));
        else if (event.key === "Tab") return tab(event);
        else if (event.key === "Enter" || event.key === "F2") begin(active);
        else if (event.key === "Escape") restore(active);
        else if (["Delete", "Backspace"].includes(event.key)) { if (cells.get(active).editable) put(active, ""); }
        // The letter itself arrives in the editor.
        else if (event.key.length === 1) return begin(active, { empty: true });
        else return;
        event.preventDefault();
    });

    // At either end Tab goes on to what stands beside the grid: nobody is locked in.
    function tab(event) {
        if (editor) { end(true); active.focus(); }
        const next = nextEditable(event.shiftKey ? -1 : 1);
        if (!next) return;
        event.preventDefault();
        activate(next);
    }

    grid.addEventListener("mousedown", (event) => {
        const td = event.target.closest("td");
        if (!td || (editor && editor.td === td)) return;
        if (editor) end(true);
        event.preventDefault();
        activate(td);
        begin(td);
    });
    grid.addEventListener("focusin", (event) => { if (cells.has(event.target)) activate(event.target, { focus: false }); });

    document.addEventListener("keydown", (event) => {
        if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
            event.preventDefault();
            if (editor) { end(true); active.focus(); }
            save();
        }
    });

    document.addEventListener("copy", (event) => {
        if (editor || !cells.has(document.activeElement) || String(getSelection())) return;
        event.clipboardData.setData("text/plain", (cells.get(active).mine || cells.get(active).was).value);
        event.preventDefault();
    });

    document.addEventListener("paste", (event) => {
        const inGrid = cells.has(document.activeElement) || (editor && document.activeElement === editor.input);
        if (!inGrid) return;
        const block = parse(event.clipboardData.getData("text/plain"));
        if (editor && block.length === 1 && block[0].length === 1) return;
        event.preventDefault();
        if (editor) end(false);
        const { row, at } = cells.get(active);
        let skipped = 0;
        block.forEach((line, down) => line.forEach((value, right) => {
            const td = matrix[row + down]?.[at + right];
            if (td && cells.get(td).editable) put(td, value.trim());
            else skipped += 1;
        }));
        active.focus();
        tell(skipped ? `${skipped} of the pasted values had no cell to go to, or one that is not edited here.` : "", "warning");
    });

    // What spreadsheets put on the clipboard: tabs and lines; a cell with either in it stands in quotes.
    function parse(text) {
        const lines = [[]];
        const pattern = /(?:"((?:[^"]|"")*)"(?=[\t\r\n]|$)|([^\t\r\n]*))(\t|\r\n|\n|\r|$)/gy;
        let found;
        while ((found = pattern.exec(text))) {
            lines.at(-1).push(found[1] === undefined ? found[2] : found[1].replaceAll('""', '"'));
            if (found[3] === "") break;
            if (found[3] !== "\t") lines.push([]);
        }
        if (lines.length > 1 && lines.at(-1).join("") === "") lines.pop();
        return lines;
    }

    // -- saving ------------------------------------------------------------------------------------

    function edits() {
        const found = new Map();
        changed().forEach((td) => {
            const cell = cells.get(td);
            const row = rows[cell.row];
            if (!found.has(row)) found.set(row, { key: Number(row.dataset.key), version: Number(row.dataset.version), cells: {} });
            found.get(row).cells[cell.name] = cell.mine.value;
        });
        return [...found.values()];
    }

    async function save() {
        const sent = changed();
        if (saving || !sent.length) return;
        if ([...cells.values()].some((cell) => cell.theirs)) {
            tell("Choose between theirs and yours first.", "warning");
            conflictBox.querySelector("button").focus();
            return;
        }
        saving = true;
        tally();
        const reason = form.elements._reason;
        const token = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] || form.elements.csrfmiddlewaretoken.value;
        let answer = null;
        try {
            const response = await fetch(location.pathname, {
                method: "POST",
                headers: { "Content-Type": "application/json", "X-CSRFToken": token },
                body: JSON.stringify({ rows: edits(), reason: reason ? reason.value : "" }),
            });
            answer = response.headers.get("Content-Type")?.includes("json") ? await response.json() : null;
        } catch { /* told below */ }
        saving = false;
        if (answer) take(answer, sent);
        else tell("Nothing was saved: the server did not answer, or you are logged out or may not do this any more. Your edits are still here; log in in another tab and save again.", "error");
        tally();
    }

    function take(answer, sent) {
        const refused = answer.error || answer.reason || Object.keys(answer.errors || {}).length || Object.keys(answer.conflicts || {}).length;
        let others = 0;
        rows.forEach((row, r) => {
            const now = answer.rows?.[row.dataset.key];
            const wrong = answer.errors?.[row.dataset.key] || {};
            const conflicts = answer.conflicts?.[row.dataset.key] || {};
            row.querySelector("[data-row-error]").textContent = wrong[""] || "";
            if (now) row.dataset.version = now.version;
            matrix[r].forEach((td) => {
                const cell = cells.get(td);
                const fresh = now?.cells[cell.name];
                if (fresh) {
                    if (!cell.mine && fresh.value !== cell.was.value) {
                        others += 1;
                        td.classList.add("ops-grid-taken");
                    }
                    cell.was = { value: fresh.value, text: fresh.text, title: fresh.title };
                    cell.editable = fresh.is_editable;
                }
                if (cell.mine && ((!refused && sent.includes(td)) || cell.mine.value === cell.was.value)) cell.mine = null;
                cell.error = (cell.mine && wrong[cell.name]) || "";
                cell.theirs = (cell.mine && conflicts[cell.name]) || null;
                paint(td);
            });
        });
        showConflicts();
        const number = Object.values(answer.errors || {}).reduce((sum, each) => sum + Object.keys(each).length, 0);
        if (answer.error || answer.reason) tell(answer.error || answer.reason, "error");
        else if (number) tell(`Nothing was saved yet: ${number} thing${number === 1 ? " is" : "s are"} wrong. Each is told in its cell.`, "error");
        else if (refused) tell("Nothing was saved yet: others changed the same cells. Choose below, then save again.", "warning");
        else tell(answer.told, "success", answer.undo);
        if (others) toldBox.append(element("p", `${others} other cell${others === 1 ? " was" : "s were"} changed by somebody else meanwhile and ${others === 1 ? "is" : "are"} shown as now.`, "ops-grid-message", "ops-grid-warning"));
        if (answer.reason) form.elements._reason?.focus();
        else if (!conflictBox.hidden) conflictBox.querySelector("button").focus();
        else activate(grid.querySelector("td[aria-invalid]") || active);
    }

    function showConflicts() {
        const open = [...cells.entries()].filter(([, cell]) => cell.theirs);
        conflictBox.hidden = !open.length;
        conflictBox.querySelector("ul").replaceChildren(...open.map(([td, cell]) => {
            const line = element("li", "", "ops-grid-choice");
            const theirs = cell.theirs.title || cell.theirs.text || "empty";
            line.append(
                element("strong", `${nameOf(td)}, ${columnOf(td).label}`),
                element("span", `${cell.theirs.who} wrote “${theirs}”. You wrote “${cell.mine.text || "empty"}”.`),
                choose("Take theirs", () => restore(td)),
                choose("Keep mine", () => { cell.theirs = null; paint(td); showConflicts(); tally(); }),
            );
            return line;
        }));
    }

    function choose(label, chosen) {
        const button = element("button", label, "ops-grid-button");
        button.type = "button";
        button.addEventListener("click", () => {
            chosen();
            (conflictBox.querySelector("button") || saveButton).focus();
            if (conflictBox.hidden && saveButton.disabled) active?.focus();
        });
        return button;
    }

    form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
    restoreButton.addEventListener("click", () => { changed().forEach(restore); tell(""); });
    addEventListener("beforeunload", (event) => { if (changed().length) event.preventDefault(); });
    activate(nextEditable(1) || matrix[0]?.[0], { focus: false });
})();
