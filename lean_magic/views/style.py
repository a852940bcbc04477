"""The style sheet of the views: the theme's colours by --jp-* variables, with fallbacks where there is no theme."""

from __future__ import annotations

__all__ = ["SHEET"]

# Each rule is below .lm-view, a class that only our widgets have, so the sheet changes nothing else on the page.
SHEET = """<style>
.lm-view {
  --lm-text: var(--jp-ui-font-color1, inherit); --lm-quiet: var(--jp-ui-font-color2, #757575);
  --lm-edge: var(--jp-border-color2, rgba(128, 128, 128, .35)); --lm-brand: var(--jp-brand-color1, #1e88e5);
  --lm-good: var(--jp-success-color1, #388e3c); --lm-bad: var(--jp-error-color1, #d32f2f);
  --lm-hover: var(--jp-layout-color2, rgba(128, 128, 128, .1));
  --lm-code: var(--jp-code-font-family, monospace);
  container-type: inline-size; max-width: 860px; padding: 8px 2px 4px; overflow: hidden; color: var(--lm-text);
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 13px; line-height: 1.45;
}
.lm-view .widget-html, .lm-view .widget-html-content {
  color: inherit; font: inherit; line-height: 1.45; height: auto; margin: 0; }
.lm-view .widget-html > .widget-html-content { width: 100%; align-self: stretch; overflow: visible; }
.lm-sheet.widget-html { display: none; }
.lm-view b { font-weight: 600; }
.lm-view svg { display: block; width: 100%; }
.lm-view code { font-family: var(--lm-code); font-size: 12px; color: inherit; background: none; padding: 0; }
.lm-quiet { color: var(--lm-quiet); }
.lm-small { color: var(--lm-quiet); font-size: 12px; }
.lm-floor { stroke: var(--lm-edge); stroke-width: 1; vector-effect: non-scaling-stroke; }
.lm-numbers { font-variant-numeric: tabular-nums; }
.lm-view .widget-button, .lm-view .widget-toggle-button { border-radius: 3px; }
.lm-view .jupyter-button:focus-visible, .lm-view summary:focus-visible {
  outline: 2px solid var(--lm-brand); outline-offset: -2px; }

/* the savings, at the top of the browser */
.lm-top { display: grid; grid-template-columns: minmax(170px, auto) minmax(0, 1fr); gap: 4px 32px; align-items: end;
  padding: 6px 0 10px; }
.lm-saved { font-size: 28px; font-weight: 300; letter-spacing: -.02em; line-height: 1.2; white-space: nowrap; }
.lm-chart { position: relative; }
.lm-chart svg { height: 62px; }
.lm-chart-most { position: absolute; right: 0; top: -9px; padding-left: 6px; color: var(--lm-quiet); font-size: 11px;
  background: var(--jp-layout-color0, var(--jp-cell-editor-background, Canvas)); }
.lm-chart-days { display: flex; justify-content: space-between; padding-top: 2px;
  color: var(--lm-quiet); font-size: 11px; }
.lm-grid { stroke: var(--lm-edge); stroke-dasharray: 2 3; vector-effect: non-scaling-stroke; }
.lm-bar { fill: var(--lm-brand); }
.lm-hover { fill: transparent; }
.lm-day:hover .lm-hover { fill: var(--lm-hover); }
.lm-told { padding: 5px 10px; margin-bottom: 8px; border-left: 3px solid var(--lm-edge); color: var(--lm-quiet); }
.lm-told ul { margin: 0; padding-left: 18px; }
.lm-message { padding: 5px 0; }
.lm-message.lm-mod-bad { color: var(--lm-bad); }

/* the list of entries */
.lm-tools { gap: 2px; }
.lm-pages { align-items: center; padding-top: 4px; }
.lm-row.widget-box { align-items: flex-start; border-bottom: 1px solid var(--lm-edge); overflow: visible; }
.lm-row:hover { background: var(--lm-hover); }
.lm-view .jupyter-button { box-shadow: none; }
.lm-row .jupyter-button { margin: 5px 1px; background: none; color: var(--lm-quiet); padding: 0; }
.lm-row .jupyter-button:hover:enabled { color: var(--lm-text); box-shadow: none; background: var(--lm-edge); }
.lm-row .lm-pin.mod-active { color: var(--lm-brand); }
.lm-row .jupyter-button.mod-danger, .lm-row .jupyter-button.mod-danger:hover:enabled {
  background: var(--lm-bad); color: var(--jp-ui-inverse-font-color1, #fff); }
.lm-cells { display: grid; grid-template-columns: minmax(0, 1fr) 86px 66px 42px 92px; column-gap: 12px;
  align-items: baseline; }
.lm-cells > span { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.lm-cells > span:first-child { text-align: left; overflow: hidden; text-overflow: ellipsis; }
.lm-heads { padding: 6px 78px 3px 18px; border-bottom: 1px solid var(--lm-edge);
  color: var(--lm-quiet); font-size: 12px; font-weight: 600; }
.lm-entry > summary { list-style: none; cursor: pointer; padding: 5px 4px 6px 18px; position: relative; }
.lm-entry > summary::-webkit-details-marker { display: none; }
.lm-entry > summary::before { content: ''; position: absolute; left: 4px; top: 11px; border: 4px solid transparent;
  border-left: 6px solid var(--lm-quiet); border-right: 0; }
.lm-entry[open] > summary::before { transform: rotate(90deg); }
.lm-name { font-weight: 600; }
.lm-name code { font-weight: 400; font-size: 12.5px; }
div.lm-view .lm-cells > .lm-why { grid-column: 1 / 5; text-align: left;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--lm-quiet); font-size: 12px; }
.lm-money { color: var(--lm-quiet); font-size: 12px; }
.lm-more { padding: 2px 4px 10px 18px; }
.lm-more dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 1px 14px; margin: 0 0 8px; }
/* the notebook's own rules for lists of terms are for prose */
.lm-view .lm-more dt { color: var(--lm-quiet); font-weight: 400; float: none; width: auto; margin: 0;
  white-space: nowrap; }
.lm-view .lm-more dd { margin: 0; padding: 0; width: auto; max-width: none; overflow-wrap: anywhere; }
.lm-more pre { margin: 0; padding: 6px 10px; max-height: 260px; overflow: auto; border-left: 3px solid var(--lm-edge);
  font: 12px/1.45 var(--lm-code); color: inherit; background: none; white-space: pre; }
.lm-none { padding: 22px 0; text-align: center; color: var(--lm-quiet); }
.lm-wide-hidden { display: none; }

/* the GPUs of this kernel */
.lm-gpu { padding: 8px 0 12px; max-width: 560px; }
.lm-gpu + .lm-gpu { border-top: 1px solid var(--lm-edge); }
.lm-between { display: flex; flex-wrap: wrap; justify-content: space-between; column-gap: 12px; }
.lm-load { display: flex; align-items: flex-end; gap: 14px; margin: 6px 0 8px; }
.lm-large { flex: 0 0 auto; min-width: 92px;
  font-size: 28px; font-weight: 300; letter-spacing: -.02em; line-height: 1; }
.lm-large small { font-size: 13px; letter-spacing: 0; color: var(--lm-quiet); }
.lm-line { height: 34px; flex: 1 1 auto; min-width: 0; color: var(--lm-brand); }
.lm-line polyline {
  fill: none; stroke: currentcolor; stroke-width: 1.4; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.lm-line polygon { fill: currentcolor; opacity: .13; }
.lm-memory { display: flex; gap: 1px; height: 8px; overflow: hidden; border-radius: 4px; background: var(--lm-edge); }
.lm-memory > i { min-width: 2px; transition: width 300ms; }
.lm-used, .lm-swatch.lm-used { background: var(--lm-brand); }
.lm-kept, .lm-swatch.lm-kept { background: var(--lm-brand); opacity: .45; }
.lm-swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 6px; }
.lm-legend { display: flex; flex-wrap: wrap; gap: 0 18px; margin-top: 4px; color: var(--lm-quiet); font-size: 12px; }
.lm-legend b { color: var(--lm-text); }
.lm-card { max-width: 560px; }
.lm-card-title { color: var(--lm-quiet); font-size: 12px; padding: 0 0 4px; border-bottom: 1px solid var(--lm-edge); }
.lm-card-title b { color: var(--lm-text); font-size: 13px; }
.lm-foot { padding: 7px 0 5px; border-top: 1px solid var(--lm-edge); color: var(--lm-quiet); }
.lm-foot b { color: var(--lm-text); }
.lm-view .lm-good { color: var(--lm-good); }
.lm-empty { padding: 16px 0; }
.lm-live { max-width: 560px; align-items: center; }
.lm-live .jupyter-button { background: none; color: var(--lm-quiet); text-align: left; padding: 0 2px; }
.lm-live .jupyter-button:hover:enabled { background: var(--lm-hover); color: var(--lm-text); box-shadow: none; }
.lm-live .jupyter-button.mod-active { background: none; color: var(--lm-quiet); box-shadow: none; }
.lm-live .mod-active .fa { color: var(--lm-good); font-size: 9px; vertical-align: 1px; }

@container (max-width: 560px) {
  .lm-top { grid-template-columns: minmax(0, 1fr); }
  .lm-view .lm-heads { display: none; }
  .lm-cells { display: flex; flex-wrap: wrap; column-gap: 12px; font-size: 12px; }
  .lm-cells > span:first-child { flex: 1 0 100%; font-size: 13px; }
  .lm-cells > .lm-why { flex: 1 1 60%; order: 1; width: 0; }
  .lm-cells > .lm-money { order: 2; }
  .lm-cells > span:nth-child(5) { margin-left: auto; }
  .lm-wide-hidden { display: inline; }
}
@media (prefers-reduced-motion: reduce) { .lm-memory > i { transition: none; } }
</style>"""
