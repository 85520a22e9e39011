import * as data from "./data";
import { el } from "./dom";

export function showLogin(into: HTMLElement, done: () => void): void {
  const message = el("p", { class: "error", role: "alert" });
  const user = el("input", { id: "user", name: "user", autocomplete: "username", required: "" });
  const password = el("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: "" });
  const button = el("button", { type: "submit" }, "Log in");
  const form = el(
    "form",
    { class: "login card" },
    el("h1", {}, el("img", { src: "/icon.svg", alt: "", width: "36", height: "36" }), "Weir"),
    el("label", { for: "user" }, "Name"),
    user,
    el("label", { for: "password" }, "Password"),
    password,
    message,
    button,
    el("p", { class: "hint" }, "Accounts are made on the server: ", el("code", {}, "weir user add NAME")),
  );
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    button.disabled = true;
    message.textContent = "";
    const wrong = await data.login(user.value, password.value).catch(() => "the server can't be reached");
    button.disabled = false;
    if (!wrong) return done();
    message.textContent = wrong;
    password.value = "";
    password.focus();
  });
  into.replaceChildren(form);
  user.focus();
}
