"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";

  /* Evidence of an entry of the map. */
  const dialog = document.getElementById("evidence");
  const body = dialog.querySelector("div");
  document.addEventListener("click", async (event) => {
    const entry = event.target.closest("[data-evidence]");
    if (entry) {
      body.replaceChildren(document.getElementById(entry.dataset.evidence).content.cloneNode(true));
      dialog.showModal();
    } else if (event.target === dialog || event.target.closest(".close")) {
      dialog.close();
    } else if (event.target.closest(".copy")) {
      const button = event.target.closest(".copy");
      const code = button.parentElement.querySelector("code");
      getSelection().selectAllChildren(code);
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy SQL"; }, 1600);
    }
  });

  /* The flow. */
  const canvas = document.getElementById("sankey");
  let draw = () => {};
  if (canvas && window.Plotly) {
    const data = JSON.parse(document.getElementById("flow-data").textContent);
    const least = document.getElementById("least");
    const told = document.getElementById("least-told");
    const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
    const tone = { START: "--soft", CONVERSION: "--trail", DROP_OFF: "--pain", OPEN: "--faint" };
    const fade = (hex, alpha) => {
      const n = parseInt(hex.slice(1), 16);
      return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
    };
    draw = () => {
      const { nodes, moves } = data[document.querySelector("[name=level]:checked").value];
      told.textContent = `${least.value}%`;
      const shown = moves.filter((m) => m.from !== m.to && m.share * 100 >= Number(least.value));
      const used = [...new Set(shown.flatMap((m) => [m.from, m.to]))].sort((a, b) => a - b);
      const place = new Map(used.map((node, i) => [node, i]));
      const tones = used.map((i) => colour(tone[nodes[i].end] || (nodes[i].hue ? `--h${nodes[i].hue}` : "--faint")));
      /* Stages stand in one row; touchpoints in several lanes, evenly apart, so that names are readable.
         Moves back to an earlier node run below and above; they need room of their own. */
      const inner = used.filter((i) => !nodes[i].end);
      const many = inner.length > 9;
      const last = Math.max(1, ...nodes.map((n) => n.position));
      const lanes = [0.1, 0.5, 0.9, 0.3, 0.7];
      const ends = { START: [0.001, 0.45], CONVERSION: [0.999, 0.15], DROP_OFF: [0.999, 0.65], OPEN: [0.999, 0.98] };
      const spot = (i) => {
        if (nodes[i].end) return ends[nodes[i].end];
        const rank = inner.indexOf(i);
        return many ? [0.94 * (rank + 1) / (inner.length + 1), lanes[rank % lanes.length]] : [nodes[i].position / last, 0.45];
      };
      const width = (test) => shown.filter(test).reduce((sum, m) => sum + m.count, 0);
      const back = width((m) => nodes[m.from].position >= nodes[m.to].position) / Math.max(1, width((m) => nodes[m.from].end === "START"));
      const room = many ? 90 : Math.min(330, 20 + 330 * back);
      canvas.style.height = `${many ? 680 : 470 + room}px`;
      Plotly.react(canvas, [{
        type: "sankey",
        arrangement: "snap",
        node: {
          label: used.map((i) => plain(nodes[i].label)),
          color: tones,
          x: used.map((i) => spot(i)[0]),
          y: used.map((i) => spot(i)[1]),
          pad: 18, thickness: 14, line: { width: 0 },
          hovertemplate: "%{label}<extra></extra>",
        },
        link: {
          source: shown.map((m) => place.get(m.from)),
          target: shown.map((m) => place.get(m.to)),
          value: shown.map((m) => m.count),
          color: shown.map((m) => fade(tones[place.get(nodes[m.to].end === "DROP_OFF" ? m.to : m.from)], isDark() ? 0.38 : 0.3)),
          customdata: shown.map((m) => m.told.map(plain).join("<br>")),
          hovertemplate: "%{source.label} to %{target.label}<br>%{customdata}<extra></extra>",
        },
      }], {
        font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        margin: { l: 8, r: 8, t: many ? room : 8, b: many ? 24 : room },
        hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink"), size: 13 }, align: "left" },
      }, { displayModeBar: false, responsive: true });
    };
    document.getElementById("flow-controls").addEventListener("input", draw);
    dark.addEventListener("change", draw);
    draw();
  }

  /* Light and dark. */
  document.querySelector(".theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    draw();
  });
})();
