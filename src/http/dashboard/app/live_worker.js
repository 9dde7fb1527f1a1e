// live_worker - one stream of events for all tabs of a browser (SharedWorker)
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { Stream } from "./live_stream.js";

const ports = new Map();            // Of tabs, with what each wants: {query, visible}
let stream = null;

function send(message) {
    for (const [port, tab] of ports)
        if (tab.visible)
            port.postMessage(message);
}

// No stream while all tabs are hidden
function check() {
    const tab = [...ports.values()].find((one) => one.visible);
    if (!tab && stream)
        stream.pause();
    else if (tab) {
        stream ??= new Stream(send);
        stream.start(tab.query);
    }
}

onconnect = (event) => {
    const [port] = event.ports;
    port.onmessage = ({ data }) => {
        if (data.gone)
            ports.delete(port);
        else {
            ports.set(port, data);
            if (data.out)               // The stream was of the session that has ended
                stream?.pause();
            if (data.visible && stream)
                stream.greet((message) => port.postMessage(message));
        }
        check();
    };
    port.start();
};
