// log - rows that are only ever added: all of them, and later only the new ones
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { useCallback, useEffect, useRef, useState, useStore } from "./lib.js";
import { epoch, get, passes } from "./api.js";

const PAGE = 1000;
const MOST = 20000;

// {rows, left (there are more than 20,000), error, grow}: the rows of a list, oldest first, whose cursors are the ids of its rows.
// grow() reads those that were added since.
export function useLog(path, query, rowsKey) {
    const [state, setState] = useState({ rows: [] });
    const age = useStore(epoch), run = useRef(null);
    const read = useCallback(async (self) => {
        if (self.busy)
            return;
        self.busy = true;
        try {
            let next;
            do {
                const answer = await get(path, { ...query, limit: PAGE, cursor: self.rows.at(-1)?.id }, self.controller.signal);
                self.rows = self.rows.concat(answer[rowsKey]);
                next = answer.next;
            } while (next !== null && self.rows.length < MOST);
            setState({ rows: self.rows, left: next !== null });
        } catch (error) {
            if (error.name === "AbortError")
                return;
            setState((old) => ({ ...old, error }));
            if (passes(error))
                self.timer = setTimeout(() => read(self), 2000);
        }
        self.busy = false;
    }, [path, rowsKey]);
    useEffect(() => {
        const self = { rows: [], controller: new AbortController() };
        run.current = self;
        read(self);
        return () => {
            self.controller.abort();
            clearTimeout(self.timer);
        };
    }, [read, age]);
    return { ...state, grow: useCallback(() => run.current && read(run.current), [read]) };
}
