// Runs before the first paint, so that a page never flashes in the other theme. The choice is the browser's own.
(() => {
  const choice = localStorage.getItem("theme");
  const dark = choice ? choice === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
