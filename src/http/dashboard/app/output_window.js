// output_window - a part of the outputs of a task, which grows at both ends
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { get } from "./api.js";

const PAGE = 1000;

// Outputs between two positions, both inclusive, oldest first. 'begun' and 'ended': there are none before or after. Ids are positions,
// and a cursor is the id of the last row of a page.
export class OutputWindow {
    constructor(path, { low = 1, high = Number.MAX_SAFE_INTEGER, types }, signal) {
        Object.assign(this, { path, low, high, types, signal, items: [], begun: false, ended: false });
    }

    async page(order, cursor) {
        cursor ??= order === "asc" ? this.low > 1 ? this.low - 1 : undefined : this.high < Number.MAX_SAFE_INTEGER ? this.high + 1 : undefined;
        const answer = await get(this.path, { types: this.types, order, cursor, limit: PAGE }, this.signal);
        const inside = answer.outputs.filter((one) => one.id >= this.low && one.id <= this.high);
        return { inside, last: answer.next === null || inside.length < answer.outputs.length };
    }

    async fromStart() {
        const { inside, last } = await this.page("asc");
        Object.assign(this, { items: inside, begun: true, ended: last });
    }

    async fromEnd() {
        const { inside, last } = await this.page("desc");
        Object.assign(this, { items: inside.reverse(), begun: last, ended: true });
    }

    // Returns the outputs that were added
    async before() {
        const { inside, last } = await this.page("desc", this.items[0]?.id);
        this.items = inside.reverse().concat(this.items);
        this.begun = last;
        return inside;
    }

    // Also looks for what has been added since the end was reached
    async after() {
        const { inside, last } = await this.page("asc", this.items.at(-1)?.id);
        this.items = this.items.concat(inside);
        this.ended = last;
        return inside;
    }
}
