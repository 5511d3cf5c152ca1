// Makes the page quicker, never possible: sorts a list that is all on the page at once, filters it while one types, and
// keeps both, and which details are open, over a refresh. Without it the same links and forms ask the server.
(function () {
  "use strict";

  var place = "weir:" + location.pathname + ":";
  function kept(name) {
    try { return JSON.parse(sessionStorage.getItem(place + name)); } catch (refused) { return null; }
  }
  function keep(name, value) {
    try { sessionStorage.setItem(place + name, JSON.stringify(value)); } catch (refused) { /* private mode */ }
  }

  function sortBy(table, link, descending) {
    var heading = link.parentNode;
    var column = heading.cellIndex;
    var byNumber = link.dataset.sort === "number";
    var sign = descending ? -1 : 1;
    var body = table.tBodies[0];
    var rows = Array.from(body.rows).map(function (row) {
      var value = row.cells[column].dataset.v;
      return { row: row, value: byNumber ? Number(value) : value };
    });
    rows.sort(function (a, b) {
      if (byNumber) return sign * (a.value - b.value);
      return sign * a.value.localeCompare(b.value, undefined, { numeric: true, sensitivity: "base" });
    });
    rows.forEach(function (entry) { body.appendChild(entry.row); });
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  document.querySelectorAll("table[data-complete]").forEach(function (table) {
    var id = table.closest("section").id;
    table.tHead.addEventListener("click", function (event) {
      var link = event.target.closest("a[data-sort]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      var now = link.parentNode.getAttribute("aria-sort");
      var descending = now ? now !== "descending" : link.dataset.sort === "number";
      sortBy(table, link, descending);
      keep("sort:" + id, { column: link.parentNode.className, descending: descending });
    });
    var last = kept("sort:" + id);
    var heading = last && table.tHead.getElementsByClassName(last.column)[0];
    if (heading && heading.firstChild.dataset) sortBy(table, heading.firstChild, last.descending);
  });

  // A link that names an order, as the headline has them, is newer than what was kept.
  document.querySelectorAll(".headline a").forEach(function (link) {
    link.addEventListener("click", function () { keep("sort:" + link.hash.slice(1), null); });
  });

  document.querySelectorAll("form.filter input[type=search]").forEach(function (input) {
    var section = input.closest("section");
    var table = section.querySelector("table[data-complete]");
    if (!table) return;
    function apply() {
      var wanted = input.value.toLowerCase();
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        var user = row.querySelector("td.user");
        var text = row.cells[0].dataset.v + "\n" + (user ? user.dataset.v : "");
        row.hidden = text.toLowerCase().indexOf(wanted) < 0;
      });
      keep("filter:" + section.id, input.value);
    }
    input.value = kept("filter:" + section.id) || input.value;
    input.addEventListener("input", apply);
    input.form.addEventListener("submit", function (event) { event.preventDefault(); });
    apply();
  });

  document.querySelectorAll("#internals details").forEach(function (details) {
    details.open = kept("internals") === true;
    details.addEventListener("toggle", function () { keep("internals", details.open); });
  });

  // Of the questions whether to reset, only one is open; Escape and a click elsewhere close it.
  function closeResets(except) {
    document.querySelectorAll("details.reset[open]").forEach(function (details) {
      if (details !== except) details.open = false;
    });
  }
  document.addEventListener("click", function (event) { closeResets(event.target.closest("details.reset")); });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") closeResets(null); });
})();
