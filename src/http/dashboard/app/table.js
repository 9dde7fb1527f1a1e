// table - a table of any length: only the rows in view are in the page
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useEffect, useRef, useState } from "./lib.js";
import { useKeys } from "./keys.js";
import { Failure } from "./widgets.js";

const ROW = 28;                     // Pixels, as in style.css
const SPARE = 12;                   // Rows above and below those in view

// Columns: {key, title, cell (row) → what is shown, num, width, sort: value for onSort}. 'pager' is of pager.js, or {rows, done: true}.
//  rowKey (row)        what tells rows apart
//  onOpen (row)        Enter or a click: the first link of the row does the same for a mouse
//  sorted, onSort      the column by whose 'sort' the rows are sorted ("created_desc"), and what a click on a heading calls
//  empty               what is shown without rows
//  total               how many rows there are in all, if that is known
export function Table({ label, columns, pager, rowKey, onOpen, sorted, onSort, empty = "Nothing here.", total }) {
    const { rows, done, loading, error, more, reload } = pager;
    const box = useRef();
    const [view, setView] = useState({ from: 0, to: 60 });
    const [chosen, setChosen] = useState(-1);
    const latest = useRef(-1);         // Keys may come faster than the page is drawn
    const look = () => {
        const { scrollTop, clientHeight } = box.current;
        const from = Math.max(0, Math.floor(scrollTop / ROW) - SPARE), to = Math.ceil((scrollTop + clientHeight) / ROW) + SPARE;
        if (from !== view.from || to !== view.to)
            setView({ from, to });
        if (!done && !error && to >= rows.length)
            more?.();
    };
    useEffect(look);
    useEffect(() => {
        const observer = new ResizeObserver(() => box.current && look());
        observer.observe(box.current);
        return () => observer.disconnect();
    }, []);
    const choose = (at) => {
        at = Math.max(0, Math.min(rows.length - 1, at));
        setChosen(latest.current = at);
        const top = at * ROW, { scrollTop, clientHeight } = box.current;
        if (top < scrollTop)
            box.current.scrollTop = top;
        else if (top + 3 * ROW > scrollTop + clientHeight)
            box.current.scrollTop = top + 3 * ROW - clientHeight;
    };
    useKeys({
        "j": ["next row", () => choose(latest.current + 1)],
        "k": ["previous row", () => choose(latest.current - 1)],
        "Home": ["first row", () => choose(0)],
        "End": ["last row that was read", () => choose(rows.length - 1)],
        ...(onOpen && { "Enter": ["open the row", () => rows[latest.current] && onOpen(rows[latest.current])] }),
    }, () => box.current.contains(document.activeElement) || document.querySelectorAll(".table").length === 1);
    const from = Math.min(view.from, Math.max(0, rows.length - 1)), to = Math.min(view.to, rows.length);
    const heading = ({ title, sort, num, width }) => {
        const order = sort && sorted?.startsWith(sort + "_") ? sorted.slice(sort.length + 1) : null;
        return html`<th scope="col" class=${num ? "num" : ""} style=${width ? { width } : {}}
            aria-sort=${order ? { asc: "ascending", desc: "descending" }[order] : undefined}>${sort && onSort ? html`<button type="button"
            class="plain" onClick=${() => onSort(sort + (order === "desc" ? "_asc" : "_desc"))}>${title}${order === "desc" ? " ▾" :
            order === "asc" ? " ▴" : ""}</button>` : title}</th>`;
    };
    return html`<div class="table" ref=${box} onScroll=${look} tabIndex="0" role="group" aria-label=${label}>
        <table aria-rowcount=${total ?? (done ? rows.length + 1 : -1)}><thead><tr>${columns.map(heading)}</tr></thead><tbody>
        ${from > 0 && html`<tr class="gap" key="above" aria-hidden="true"><td colSpan=${columns.length} style=${{ height: from * ROW + "px" }} />
            </tr>`}
        ${rows.slice(from, to).map((row, i) => html`<tr key=${rowKey(row)} aria-rowindex=${from + i + 2}
            class="${from + i === chosen ? "chosen" : ""} ${onOpen ? "opens" : ""}" aria-current=${from + i === chosen ? "true" : undefined}
            onClick=${(event) => {
                setChosen(latest.current = from + i);
                if (onOpen && !event.target.closest("a, button") && !getSelection().toString())
                    onOpen(row);
            }}>${columns.map(({ cell, num }) => html`<td class=${num ? "num" : ""}>${cell(row)}</td>`)}</tr>`)}
        ${to < rows.length && html`<tr class="gap" key="below" aria-hidden="true"><td colSpan=${columns.length}
            style=${{ height: (rows.length - to) * ROW + "px" }} /></tr>`}
        </tbody></table>
        ${error && html`<${Failure} error=${error} reload=${reload} />`}
        ${!error && !rows.length && html`<p class="quiet empty" role="status">${loading ? "Loading …" : empty}</p>`}
        ${rows.length > 0 && loading && html`<p class="quiet" role="status">Loading …</p>`}</div>`;
}
