// ansi - text of programs as lines of coloured pieces: a small part of ECMA-48
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

// Escape sequences: CSI, with its parameters and final byte; OSC and other strings; all others. Each is matched in linear time.
const ESCAPES = /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?/g;
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;
const CUT = 10000;                  // Characters of a line that are shown

const visible = (text) => text.replace(CONTROLS, (one) => one === "\x7f" ? "␡" : String.fromCharCode(0x2400 + one.charCodeAt(0)));

// Of the palette of 256 colours, those after the first 16
function palette(index) {
    if (index >= 232)
        return `rgb(${Array(3).fill(8 + 10 * (index - 232)).join()})`;
    const level = (n) => n ? 55 + 40 * n : 0, at = index - 16;
    return `rgb(${[Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6].map(level).join()})`;
}

// 38 and 48 take a colour from the parameters after them; returns how many
function extended(style, key, codes, i) {
    const set = (value) => style[key] = value;
    if (codes[i + 1] === 5) {
        const index = codes[i + 2] & 255;
        set(index < 16 ? index : palette(index));
        return 2;
    }
    if (codes[i + 1] === 2)
        set(`rgb(${[2, 3, 4].map((n) => codes[i + n] & 255).join()})`);
    return 4;
}

// The style after a sequence "1;31" m
function select(old, params) {
    const style = { ...old }, codes = params.split(/[;:]/).map(Number);
    for (let i = 0; i < codes.length; i++) {
        const code = codes[i];
        if (code === 0)
            Object.keys(style).forEach((key) => delete style[key]);
        else if (code === 1) style.bold = true;
        else if (code === 2) style.faint = true;
        else if (code === 3) style.italic = true;
        else if (code === 4) style.under = true;
        else if (code === 7) style.inverse = true;
        else if (code === 22) style.bold = style.faint = false;
        else if (code === 23) style.italic = false;
        else if (code === 24) style.under = false;
        else if (code === 27) style.inverse = false;
        else if (code >= 30 && code <= 37) style.color = code - 30;
        else if (code >= 90 && code <= 97) style.color = code - 82;
        else if (code === 39) delete style.color;
        else if (code >= 40 && code <= 47) style.back = code - 40;
        else if (code >= 100 && code <= 107) style.back = code - 92;
        else if (code === 49) delete style.back;
        else if (code === 38 || code === 48) i += extended(style, code === 38 ? "color" : "back", codes, i);
    }
    return style;
}

// Class names and colours of a style, for a span. style.css makes colours that are not of the theme readable.
function appearance(style) {
    const names = ["bold", "faint", "italic", "under", "inverse"].filter((name) => style[name]).map((name) => "a-" + name), css = {};
    if (typeof style.color === "number")
        names.push("a-c" + style.color);
    else if (style.color) {
        names.push("a-cx");
        css["--c"] = style.color;
    }
    if (typeof style.back === "number")
        names.push("a-b" + style.back);
    else if (style.back) {
        names.push("a-bx");
        css["--b"] = style.back;
    }
    return { name: names.join(" "), css };
}

// A line that was written over by a carriage return shows what came last
const overwritten = (line) => {
    line = line.replace(/\r+$/, "");
    return line.slice(line.lastIndexOf("\r") + 1);
};

// The lines of a text. A line is {text, pieces?: [{text, name, css}], more?: characters that are not shown}.
export function ansiLines(text) {
    const lines = text.split("\n");
    if (lines.length > 1 && lines.at(-1) === "")
        lines.pop();
    let style = {};
    return lines.map((line) => {
        const more = Math.max(0, line.length - CUT);
        line = overwritten(line).slice(0, CUT);
        if (!line.includes("\x1b") && !Object.keys(style).length)
            return { text: visible(line), more };
        const pieces = [];
        let from = 0;
        const add = (to) => to > from && pieces.push({ text: visible(line.slice(from, to)), ...appearance(style) });
        for (const match of line.matchAll(ESCAPES)) {
            add(match.index);
            from = match.index + match[0].length;
            if (match[2] === "m")
                style = select(style, match[1]);
        }
        add(line.length);
        return { text: pieces.map((piece) => piece.text).join(""), pieces, more };
    });
}
