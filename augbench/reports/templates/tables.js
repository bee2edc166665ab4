// Tables to sort and to filter, and the data to download.

// ---- tables --------------------------------------------------------------------------------

function key(cell, words) {
  const value = cell.dataset.value;
  if (words) return cell.textContent;
  return value === "" ? null : value === "inf" ? Infinity : Number(value);
}

function sortBy(table, index, words, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [key(row.cells[index], words), row]);
  rows.sort(([one], [other]) => {
    if (one === null || other === null) return (one === null) - (other === null); // missing last
    const order = words ? one.localeCompare(other, "en", { numeric: true }) : one - other;
    return descending ? -order : order;
  });
  body.replaceChildren(...rows.map(([, row]) => row));
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, index) => {
    if (!head.textContent) return;
    const button = element("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, index, head.classList.contains("words"), descending);
    });
  });
}

function setUpCellFilter() {
  const form = byId("cell-filter");
  const rows = [...byId("cells").tBodies[0].rows];
  const apply = () => {
    const status = byId("status-filter").value;
    const words = byId("text-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (status && row.dataset.status !== status) || !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    byId("shown-cells").textContent = `${count} of ${rows.length} cells`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

// ---- downloads -----------------------------------------------------------------------------

function offer(id, type, text) {
  const button = byId(id);
  button.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([text()], { type }));
    const link = element("a", { href: url, download: button.dataset.file });
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
setUpCellFilter();
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("#verdict details, #numbers details")) part.open = true;
});
byId("downloads").hidden = false;
offer("download-csv", "text/csv", () => data.csv);
offer("download-json", "application/json", () => JSON.stringify(data.report, null, 1));
