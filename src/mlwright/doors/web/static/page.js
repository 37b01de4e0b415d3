// The page works without this: it only brings itself up to date while somebody looks at it.
(() => {
  const page = document.getElementById("page");
  if (!page) return;
  const refresh = async () => {
    const selected = String(getSelection());
    if (document.hidden || selected || page.querySelector("form:focus-within")) return;
    let answer;
    try {
      answer = await fetch(location.pathname, { cache: "no-store" });
    } catch {
      return; // the server is away: what stands here is the last that is known
    }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const open of page.querySelectorAll("details[open][id]")) {
      fresh.getElementById(open.id)?.setAttribute("open", "");
    }
    page.replaceChildren(...fresh.getElementById("page").childNodes);
    document.querySelector("header.top").replaceWith(fresh.querySelector("header.top"));
  };
  setInterval(refresh, 15000);
})();
