// export - all rows of a list as a file, read page by page
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useRef, useState } from "./lib.js";
import { get, passes } from "./api.js";
import { num } from "./format.js";
import { Failure, save } from "./widgets.js";

const PAGE = 1000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// All rows; 'each' receives how many there are so far
async function readAll(path, query, rowsKey, signal, each) {
    const rows = [];
    let cursor;
    do {
        try {
            const answer = await get(path, { ...query, limit: PAGE, cursor }, signal);
            rows.push(...answer[rowsKey]);
            cursor = answer.next;
            each(rows.length);
        } catch (error) {
            if (!passes(error))
                throw error;
            await sleep(2000);
            signal.throwIfAborted();
        }
    } while (cursor !== null && !signal.aborted);
    return rows;
}

// RFC 4180
const cell = (value) => {
    const text = value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
};

const csv = (keys, rows) => [keys.join(","), ...rows.map((row) => keys.map((key) => cell(row[key])).join(","))].join("\r\n") + "\r\n";
const ndjson = (rows) => rows.map((row) => JSON.stringify(row) + "\n").join("");

// Buttons that save every row of a list: CSV with the columns 'keys', NDJSON with whole records
export function Export({ name, path, query, rowsKey, keys }) {
    const [state, setState] = useState({});
    const controller = useRef();
    const run = (kind) => async () => {
        controller.current = new AbortController();
        try {
            const rows = await readAll(path, query, rowsKey, controller.current.signal, (count) => setState({ count }));
            if (kind === "csv")
                save(name + ".csv", "text/csv", csv(keys, rows));
            else
                save(name + ".ndjson", "application/x-ndjson", ndjson(rows));
            setState({});
        } catch (error) {
            setState(error.name === "AbortError" ? {} : { error });
        }
    };
    if (state.count !== undefined)
        return html`<span role="status">${num(state.count)} read</span> <button type="button"
            onClick=${() => controller.current.abort()}>Cancel</button>`;
    return html`<button type="button" onClick=${run("csv")} title="Save all rows of this list, with the columns that are shown">CSV</button>
        <button type="button" onClick=${run("ndjson")} title="Save the whole records of this list, one per line">NDJSON</button>
        ${state.error && html`<${Failure} error=${state.error} />`}`;
}
