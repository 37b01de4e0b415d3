// The pages work without this: it brings them up to date, leads MLflow's links on, and lets charts be touched.
(() => {
  // Links that MLflow's clients print: /#/experiments/1/runs/ID and the like.
  const follow = () => {
    const parts = location.hash.startsWith("#/") ? location.hash.slice(2).split("?") : null;
    if (!parts) return false;
    const way = parts[0].split("/").filter(Boolean);
    const at = (name) => (way.indexOf(name) >= 0 ? way[way.indexOf(name) + 1] : undefined);
    let to = null;
    if (way[0] === "experiments" && at("runs")) to = `/runs/${at("runs")}`;
    else if (way[0] === "experiments" && at("models")) to = `/logged-models/${at("models")}`;
    else if (way[0] === "experiments" && way[1]) to = `/experiments/${way[1]}`;
    else if (way[0] === "experiments") to = "/experiments";
    else if (way[0] === "models" && at("versions")) to = `/models/${way[1]}/${at("versions")}`;
    else if (way[0] === "models") to = way[1] ? `/models/${way[1]}` : "/models";
    else if (way[0] === "compare-runs") {
      try {
        to = `/compare?runs=${JSON.parse(new URLSearchParams(parts[1]).get("runs")).map(encodeURIComponent).join(",")}`;
      } catch {
        return false;
      }
    }
    if (to) location.replace(to);
    return Boolean(to);
  };
  if (follow()) return;
  addEventListener("hashchange", follow);

  const here = document.getElementById("here");
  if (here) here.textContent = location.origin;

  const fetched = async (address) => {
    try {
      const answer = await fetch(address, { cache: "no-store" });
      return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    } catch {
      return null; // the server is away: what stands here is the last that is known
    }
  };

  const page = document.getElementById("page");
  const refresh = async () => {
    const selected = String(getSelection());
    if (document.hidden || selected || page.querySelector("form:focus-within")) return;
    if ([...page.querySelectorAll("input, textarea")].some((each) => each.value !== each.defaultValue)) return;
    const fresh = await fetched(location.pathname + location.search);
    if (!fresh) return;
    for (const open of page.querySelectorAll("details[open][id]")) {
      fresh.getElementById(open.id)?.setAttribute("open", "");
    }
    page.replaceChildren(...fresh.getElementById("page").childNodes);
    document.querySelector("header.top").replaceWith(fresh.querySelector("header.top"));
  };
  if (page) setInterval(refresh, 15000);
})();
