// Keeps the counts of the page in step with the hub: told of a change, it fetches the page and takes over its counts.
(() => {
  if (!document.querySelector("[data-live]") || !window.EventSource) return;
  const feed = new EventSource("/board/changes");
  let first = true;
  feed.addEventListener("board", async () => {
    if (first) { first = false; return; }
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const told = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const shown of document.querySelectorAll("[data-live]")) {
      const fresh = told.querySelector(`[data-live="${shown.dataset.live}"]`);
      if (fresh) shown.replaceWith(fresh);
    }
  });
})();
