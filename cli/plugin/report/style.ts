/** Of the HTML report: light and dark, and on paper. Nothing is loaded. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1c2733; --quiet: #5b6a78; --line: #d5dbe1; --box: #eef2f6; --bad: #b3261e; --bad-box: #fde7e5; --good: #0a7d4b; --audit: #6a3fb5; --warn: #9a6200; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --text: #e3e9ef; --quiet: #9fb0c0; --line: #3a4754; --box: #232d37; --bad: #ff8a80; --bad-box: #4a1f1c; --good: #5fd3a0; --audit: #c4a7ff; --warn: #ffc266; --page: #12181e } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: var(--text); background: var(--page) }
h1 { font-size: 1.6rem } h2 { margin-top: 2rem; border-bottom: 1px solid var(--line) } h3 { margin-bottom: 0 }
pre { background: var(--box); padding: .75rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
li, p, td { overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; border-bottom: 1px solid var(--line) }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums }
tr.response td:nth-child(2) { color: var(--good) } tr.runtime td:nth-child(2) { color: var(--bad) } tr.audit td:nth-child(2) { color: var(--audit) } tr.operator td:nth-child(2) { color: var(--warn) }
figure { margin: 1rem 0 } svg { max-width: 100%; height: auto } svg text { font: 13px ui-monospace, monospace; fill: var(--text) }
.grid { stroke: var(--line) } .box { fill: var(--box) } .caught { fill: var(--bad-box); stroke: var(--bad) } svg .caught-text { fill: var(--bad) } .edge { fill: none; stroke: var(--quiet) }
.course { fill: none; stroke: var(--bad); stroke-width: 2 } .habit { stroke: var(--good); stroke-dasharray: 6 4 }
circle.runtime { fill: var(--bad) } circle.admission { fill: var(--quiet) } circle.audit { fill: var(--audit) } circle.response { fill: var(--good) } circle.operator { fill: var(--warn) }
.quiet { color: var(--quiet) }
@media print { :root { color-scheme: light } body { max-width: none; margin: 0; font-size: 11pt } h2, h3 { break-after: avoid } tr, figure, pre { break-inside: avoid } * { print-color-adjust: exact } }
`;
