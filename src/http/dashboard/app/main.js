// main - start the dashboard
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, render } from "./lib.js";
import { loadSession } from "./api.js";
import { startLive } from "./live.js";
import { Shell } from "./shell.js";

render(html`<${Shell} />`, document.getElementById("app"));
loadSession();
startLive();
