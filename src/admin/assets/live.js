// What pages do beyond forms and links. All of it may be missing: the pages work without.
"use strict";

// The one way from text to markup. It takes pages of ours alone, which the daemon escapes.
const policy = globalThis.trustedTypes
  ? trustedTypes.createPolicy("melonsync", { createHTML: (text) => text })
  : { createHTML: (text) => text };

const fetched = async (url, signal) => {
  const answer = await fetch(url, { credentials: "same-origin", redirect: "error", signal });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html");
};

// A region is replaced where it is another by now; nothing that is in use moves.
const replace = (selector, page) => {
  for (const old of document.querySelectorAll(selector)) {
    const fresh = page.getElementById(old.id);
    const busy = old.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
    if (fresh && !busy && fresh.innerHTML !== old.innerHTML) old.replaceWith(document.adoptNode(fresh));
  }
};

// A link that logs in once: what is behind the # is sent nowhere but to the form of the login.
const once = () => {
  const login = document.getElementById("login");
  if (!login || !/^#[0-9a-f]{64}$/.test(location.hash)) return;
  const code = document.createElement("input");
  code.type = "hidden";
  code.name = "code";
  code.value = location.hash.slice(1);
  login.append(code);
  login.noValidate = true;
  history.replaceState(null, "", location.pathname + location.search);
  login.submit();
};

// Live regions: the event stream says that something happened, and the page is asked anew, once a second at most.
const live = () => {
  if (!document.querySelector("[data-live]")) return;
  let stream = null;
  let due = 0;
  const renew = () => {
    if (due) return;
    due = setTimeout(async () => {
      due = 0;
      try {
        const page = await fetched(location.href);
        replace("[data-live]", page);
        document.querySelector("footer")?.replaceWith(document.adoptNode(page.querySelector("footer")));
      } catch { /* the next event tries again */ }
    }, 1000);
  };
  const open = () => {
    stream = new EventSource("/api/v1/events");
    // What happened between the page and the stream is in neither.
    stream.addEventListener("open", renew);
    for (const name of ["accepted", "started", "phase", "finding", "stopping", "ended", "reset"]) {
      stream.addEventListener(name, renew);
    }
  };
  // A hidden page keeps no connection: a browser has six of them.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      open();
      renew();
    }
  });
  if (!document.hidden) open();
};

// Search as you type: the form is sent when the typing rests, and the address says what is shown.
const search = () => {
  const field = document.querySelector("[data-search]");
  if (!field) return;
  let waits = 0;
  let asked = null;
  field.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(async () => {
      asked?.abort();
      asked = new AbortController();
      const given = [...new FormData(field.form)].filter(([, value]) => value !== "");
      const url = `${location.pathname}?${new URLSearchParams(given)}`;
      try {
        replace("[data-found]", await fetched(url, asked.signal));
        history.replaceState(null, "", url);
      } catch { /* the button still sends the form */ }
    }, 150);
  });
};

// A review: whole causes by one box, and how many lines are chosen beside the button.
const review = () => {
  const form = document.querySelector("[data-review]");
  const decide = form?.querySelector(".decide");
  if (!decide) return;
  const boxes = () => [...form.querySelectorAll("input[name=id]")];
  const label = form.querySelector("label[for=typed]");
  const shown = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    label.textContent = chosen > 1 ? `Type ${chosen}` : "Number of chosen lines";
  };
  for (const cause of form.querySelectorAll(".cause")) {
    const all = document.createElement("input");
    all.type = "checkbox";
    all.ariaLabel = "Choose all of this cause";
    all.addEventListener("change", () => {
      for (const box of cause.querySelectorAll("input[name=id]")) box.checked = all.checked;
      shown();
    });
    cause.querySelector("th.pick")?.replaceChildren(all);
  }
  form.addEventListener("change", shown);
  shown();
};

// The slash leads to the first field of a page.
const keys = () => {
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input, select, textarea");
    if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = document.querySelector("main input:not([type=hidden]):not([type=checkbox])");
    if (!field) return;
    event.preventDefault();
    field.focus();
  });
};

for (const part of [once, live, search, review, keys]) part();
