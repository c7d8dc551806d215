// A click on the head of a column sorts the table; without JavaScript the tables stay as they are.
import DataTable from "DATATABLES";

const NUMBER = /^[<>≤≥~±×]?\s*([+\-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[+\-−]?\d+)?)(?=$|[\s†‡×%±[(])/i;
const EMPTY = /^[\s–—-]*$/;

const plain = (cell) => cell.replace(/<[^>]*>/g, "").replace("&lt;", "<").replace("&gt;", ">").trim();

const numberOf = (cell) => {
  const found = plain(String(cell)).match(NUMBER);
  return found ? Number.parseFloat(found[1].replaceAll("−", "-").replaceAll(",", "")) : Number.NaN;
};

// What is no number sorts below all that are.
DataTable.ext.type.order["first-number-pre"] = (cell) => {
  const value = numberOf(cell);
  return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
};

const isNumeric = (table, column) => {
  const texts = [...table.tBodies[0].rows].map((row) => plain(row.cells[column].innerHTML));
  const told = texts.filter((text) => !EMPTY.test(text));
  return told.length > 0 && told.every((text) => !Number.isNaN(numberOf(text)));
};

for (const table of document.querySelectorAll("table.sortable")) {
  const columns = [...table.tHead.rows[0].cells].map((_, column) => column);
  const numeric = columns.filter((column) => isNumeric(table, column));
  new DataTable(table, {
    autoWidth: false,
    columnDefs: [
      { targets: numeric, type: "first-number", orderSequence: ["desc", "asc", ""], className: "number" },
      { targets: columns.filter((column) => !numeric.includes(column)), type: "html" },
    ],
    info: false,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
    order: [],
    paging: false,
    searching: false,
  });
}

for (const box of document.querySelectorAll(".scroll, figure.wide")) {
  if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) continue;
  // The keyboard scrolls what it can reach.
  box.tabIndex = 0;
  if (box.tagName !== "FIGURE") box.setAttribute("role", "region");
  const name = box.querySelector("caption") ?? box.closest("section").querySelector("h2, h3");
  box.setAttribute("aria-label", name.textContent.trim());
}
