// tasks - the list of tasks: filters, columns, order, exact total, files
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useStore } from "../app/lib.js";
import { Export } from "../app/export.js";
import { num } from "../app/format.js";
import { useKeys } from "../app/keys.js";
import { prefs } from "../app/prefs.js";
import { setParams } from "../app/router.js";
import { Filters, listCommand } from "../app/task_filters.js";
import { ColumnChooser, TaskTable, shownColumns, total, useTaskList } from "../app/task_list.js";
import { Copy } from "../app/widgets.js";

export default function Tasks({ params }) {
    const { pager, query, changed } = useTaskList(params);
    const keys = shownColumns(params, useStore(prefs).columns).filter((one) => !one.derived).map((one) => one.key);
    useKeys({ "r": ["read the list again", pager.reload] });
    return html`<div class="head"><h1>Tasks</h1><span role="status" class="total">${total(pager)}</span>
        ${params.at && html`<span class="chip">as of ${params.at} <button type="button" class="plain" onClick=${() => setParams({ at: "" })}
            aria-label="Show the present">✕</button></span>`}
        ${changed > 0 && html`<button type="button" onClick=${pager.reload} title="Read the list again (r)">${num(changed)} changed</button>`}
        <div class="toolbar right"><${ColumnChooser} params=${params} /><${Export} name="tasks" path="v1/tasks" query=${query} rowsKey="tasks" keys=${keys} />
        <${Copy} text=${listCommand(params)}>Copy command</${Copy}></div></div>
        <${Filters} params=${params} />
        <div class="fill"><${TaskTable} params=${params} pager=${pager} at=${params.at} /></div>`;
}
