// task_filters - the filters of a list of tasks; they are kept in the address
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useEffect, useState } from "./lib.js";
import { setParams } from "./router.js";
import { TimeField } from "./time.js";
import { Choices, STATES, State } from "./widgets.js";

const WORDS = { roles: "Role", providers: "Provider", models: "Model", producers: "Producer" };
const TEXTS = { user_id: "User", parent_id: "Parent", contains: "Contains" };
const TIMES = { created: "Created", updated: "Updated", completed: "Ended" };
const BOUNDS = Object.keys(TIMES).flatMap((one) => [one + "_from", one + "_to"]);
const FILTERS = ["states", ...Object.keys(WORDS), ...Object.keys(TEXTS), "has_error", "interrupted", ...BOUNDS, "search"];

// The parameters of task.list in an address
export const listQuery = (params) => Object.fromEntries([...FILTERS, "order", "at"].filter((name) => params[name]).map((name) => [name, params[name]]));

// The options of stele list for the same list
const OPTIONS = { states: "--state", roles: "--role", providers: "--provider", models: "--model", producers: "--producer", user_id: "--user",
    parent_id: "--parent", created_from: "--from", created_to: "--to", updated_from: "--updated-from", updated_to: "--updated-to",
    completed_from: "--completed-from", completed_to: "--completed-to", search: "--search", at: "--at" };
// A terminal would obey control characters that are pasted
export const shell = (text) => /^[\w@%+:,./][\w@%+=:,./-]*$/.test(text) ? text : /[\x00-\x1f\x7f-\x9f]/.test(text) ?
    `$'${text.replace(/[\\']/g, "\\$&").replace(/[\x00-\x1f\x7f-\x9f]/g, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"))}'` :
    `'${String(text).replaceAll("'", "'\\''")}'`;
export function listCommand(params) {
    const parts = ["stele list"];
    for (const [name, option] of Object.entries(OPTIONS))
        if (params[name])
            parts.push(`${option}=${shell(params[name])}`);
    if (params.interrupted === "true")
        parts.push("--interrupted");
    if (params.has_error)
        parts.push(params.has_error === "true" ? "--errors" : "--no-errors");
    const [, by, way] = /^(\w+)_(asc|desc)$/.exec(params.order ?? "") ?? [];
    if (by && by !== "created")
        parts.push("--order=" + by);
    if (way === "asc")
        parts.push("--reverse");
    return parts.join(" ");
}

// A text that is applied a moment after the last key
export function Field({ label, value, onChange, wait = 300, ...more }) {
    const [text, setText] = useState(value ?? "");
    const [typing, setTyping] = useState(false);
    useEffect(() => {
        if (!typing)
            setText(value ?? "");
    }, [value, typing]);
    useEffect(() => {
        if (!typing)
            return;
        const timer = setTimeout(() => {
            setTyping(false);
            onChange(text);
        }, wait);
        return () => clearTimeout(timer);
    }, [text, typing]);
    return html`<label>${label}<input ...${more} value=${text} onInput=${(event) => {
        setTyping(true);
        setText(event.target.value);
    }} /></label>`;
}

const Select = ({ label, value, options, onChange }) => html`<label>${label}<select value=${value ?? ""}
    onChange=${(event) => onChange(event.target.value)}>
    ${options.map(([word, text]) => html`<option value=${word}>${text}</option>`)}</select></label>`;

const Bound = ({ name, label, params }) => html`<${TimeField} label=${label} value=${params[name]} onChange=${(at) => setParams({ [name]: at })} />`;

// The first row of filters, and the others behind a button
export function Filters({ params, label = "Search", children }) {
    const others = FILTERS.filter((name) => name !== "search" && name !== "states" && params[name]);
    const [open, setOpen] = useState(others.length > 0);
    const set = (name) => (value) => setParams({ [name]: value });
    const chosen = params.states ? params.states.split(",") : [];
    const clear = () => setParams(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    return html`<div class="filters" role="search"><div class="toolbar">
        <${Field} label=${label} value=${params.search} onChange=${set("search")} wait=${200} data-search type="search" class="search"
            placeholder="title, description, error or ID" title="Words, word prefixes or &quot;quoted phrases&quot;, or a part of an ID (/)" />
        <${Choices} label="States" words=${STATES} chosen=${chosen} onChange=${(words) => setParams({ states: words.join(",") })}
            render=${(state) => html`<${State} state=${state} />`} />
        <button type="button" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>Filters${others.length ? ` (${others.length})` : ""}</button>
        ${(others.length || chosen.length || params.search) && html`<button type="button" onClick=${clear}>Clear</button>`}${children}</div>
        ${open && html`<div class="toolbar more">${Object.entries(WORDS).map(([name, text]) => html`<${Field} label=${text} value=${params[name]}
            onChange=${set(name)} size="14" title="Several, separated by commas, match any of them" />`)}
        ${Object.entries(TEXTS).map(([name, text]) => html`<${Field} label=${text} value=${params[name]} onChange=${set(name)} size="12" />`)}
        <${Select} label="Errors" value=${params.has_error} onChange=${set("has_error")} options=${[["", "any"], ["true", "with an error"], ["false", "without"]]} />
        <${Select} label="Interrupted" value=${params.interrupted} onChange=${set("interrupted")} options=${[["", "any"], ["true", "yes"], ["false", "no"]]} />
        ${Object.entries(TIMES).map(([name, text]) => html`<span class="range"><${Bound} name=${name + "_from"} label="${text} from"
            params=${params} />
            <${Bound} name=${name + "_to"} label="to" params=${params} /></span>`)}</div>`}</div>`;
}
