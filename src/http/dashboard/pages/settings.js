// settings - of this browser: time zone, theme, columns
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useStore } from "../app/lib.js";
import { session } from "../app/api.js";
import { prefs, setPref } from "../app/prefs.js";
import { formatOffset, zones } from "../app/time.js";
import { Facts, Panel, Time } from "../app/widgets.js";

const THEMES = { auto: "as the system", light: "light", dark: "dark" };

export default function Settings() {
    const { zone, theme, columns } = useStore(prefs), who = useStore(session);
    const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
    return html`<div class="head"><h1>Settings</h1><span class="quiet">They are kept in this browser only.</span></div><div class="panels">
        <${Panel} title="Time zone"><p><label>Zone <select value=${zone} onChange=${(event) => setPref("zone", event.target.value)}>
            ${zones().map((one) => html`<option value=${one}>${one === "local" ? `the zone of this browser (${local})` : one}</option>`)}</select></label></p>
            <p>Now it is <${Time} at=${Date.now()} /> <span class="quiet">${formatOffset(Date.now())}</span></p></${Panel}>
        <${Panel} title="Theme"><div class="choices" role="group" aria-label="Theme">${Object.entries(THEMES).map(([key, name]) => html`<button
            type="button" aria-pressed=${key === theme ? "true" : "false"} onClick=${() => setPref("theme", key)}>${name}</button>`)}</div></${Panel}>
        <${Panel} title="Columns"><p>${Object.keys(columns).length ? "The columns of some tables were chosen." : "All tables show their usual columns."}</p>
            <button type="button" disabled=${!Object.keys(columns).length} onClick=${() => setPref("columns", {})}>Show the usual columns</button></${Panel}>
        <${Panel} title="Who you are"><${Facts} rows=${[["Name", who.name ?? "local"], ["Roles", who.roles?.join(", ")],
            ["Access", who.tokens ? "with a token" : "without tokens: whoever can connect may do this"]]} /></${Panel}></div>`;
}
