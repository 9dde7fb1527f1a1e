// asof - all tasks as they were at any position
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html } from "../app/lib.js";
import { useQuery } from "../app/api.js";
import { Moment, useThrottle } from "../app/moment.js";
import { href, setParams } from "../app/router.js";
import { Filters } from "../app/task_filters.js";
import { ColumnChooser, TaskTable, total, useTaskList } from "../app/task_list.js";
import { Empty, Result } from "../app/widgets.js";

function Past({ params, head }) {
    const position = Math.min(Number(params.at) || head, head), at = useThrottle(position);
    const { pager } = useTaskList({ ...params, at });
    return html`<${Moment} position=${position} last=${head} onChange=${(to) => setParams({ at: to })} jump />
        <${Filters} params=${params}><span role="status" class="total">${total(pager)}</span></${Filters}>
        <div class="fill"><${TaskTable} params=${params} pager=${pager} at=${at} label="Tasks as of position ${at}" /></div>`;
}

export default function AsOf({ params }) {
    // The head when the page is opened: a slider whose end moves cannot be used
    const query = useQuery("v1/events", { after: 1e12, limit: 1 });
    return html`<div class="head"><h1>As of</h1><p class="quiet">Every task as it was after the event at a position.</p>
        <div class="toolbar right"><${ColumnChooser} params=${params} />${params.at && html`<a
            href=${href("tasks", null, { ...params })}>as a list</a>`}</div></div>
        <${Result} query=${query}>${({ head }) => head ? html`<${Past} params=${params}
            head=${head} />` : html`<${Empty}>The ledger has no events yet.</${Empty}>`}</${Result}>`;
}
