// Shows the command with the invitation, which stands in the link's fragment: that is sent nowhere.
"use strict";
(() => {
  const whole = /^#\d+\.[\w-]{64}$/.test(location.hash);
  document.getElementById("no-invitation").hidden = whole;
  if (!whole) return;
  // Another language is another page: the browser takes the fragment along, and sends it nowhere.
  document.querySelector('form[action="/language"]').action += location.hash;
  document.getElementById("command").textContent = `glean join '${location.href}' --sales my.csv`;
})();
