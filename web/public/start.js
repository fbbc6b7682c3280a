// Before the first paint: the language, its direction, and light or dark, as they were chosen last time in this browser. Then what
// the first page needs is asked for, its files and its answers side by side, before the code is here that would ask for them.
// A file of its own since the content security policy allows no script inside the page.
(function () {
  // Which files and answers the pages need; `scripts/first.ts` writes it into the built app.
  var needs = null;
  var root = document.documentElement;
  var languages = ["en", "fr", "ar"];
  var language = null;
  var scheme = null;
  var signedIn = false;
  try {
    signedIn = localStorage.getItem("onward.signed-in") !== null;
    language = localStorage.getItem("onward.language");
    scheme = localStorage.getItem("onward.color-scheme");
  } catch {
    // A browser that keeps nothing: what it prefers itself decides.
  }
  if (languages.indexOf(language) < 0) {
    var wished = (navigator.languages || [navigator.language || "en"]).map(function (tag) {
      return tag.slice(0, 2).toLowerCase();
    });
    language =
      wished.find(function (tag) {
        return languages.indexOf(tag) >= 0;
      }) || "en";
  }
  root.lang = language;
  root.dir = language === "ar" ? "rtl" : "ltr";
  var dark = scheme === "dark" || (scheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
  root.setAttribute("data-first", signedIn ? "page" : "sign-in");
  if (needs === null) {
    return;
  }
  var page = signedIn
    ? needs.pages.find(function (one) {
        return new RegExp(one.path).test(location.pathname);
      })
    : needs.signIn;
  var files = needs.texts[language].concat(page ? page.files.concat((page.texts || {})[language] || []) : []);
  files.forEach(function (index) {
    var link = document.createElement("link");
    var file = needs.files[index];
    link.href = "/" + file;
    if (file.endsWith("css")) {
      link.rel = "preload";
      link.as = "style";
    } else {
      link.rel = "modulepreload";
    }
    link.crossOrigin = "";
    document.head.append(link);
  });
  // The shell is on the screen before the app keeps the browser busy; what nobody looks at waits for no picture.
  var begun = false;
  function begin() {
    if (!begun) {
      begun = true;
      // One after the other, each a piece of work of its own.
      needs.entry.reduce(function (before, file) {
        return before.then(function () {
          return new Promise(function (done) {
            setTimeout(done);
          }).then(function () {
            return import("/" + file);
          });
        });
      }, Promise.resolve());
    }
  }
  addEventListener("DOMContentLoaded", function () {
    requestAnimationFrame(function () {
      setTimeout(begin);
    });
    setTimeout(begin, document.hidden ? 0 : 200);
  });
  var answers = {};
  var asks = needs.asks;
  if (page && location.search === "") {
    asks = asks.concat(page.asks, (matchMedia("(min-width: 56.01em)").matches && page.beside) || []);
  }
  asks.forEach(function (ask) {
    var address = page && page.path ? location.pathname.replace(new RegExp(page.path), ask) : ask;
    answers[address] = fetch(address);
    // Whoever takes it hears of what went wrong.
    answers[address].catch(function () {});
  });
  window.onwardFirst = answers;
})();
