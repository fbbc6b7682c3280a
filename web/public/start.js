// Before the first paint: the language, its direction, and light or dark, as they were chosen last time in this browser.
// A file of its own since the content security policy allows no script inside the page.
(function () {
  var root = document.documentElement;
  var languages = ["en", "fr", "ar"];
  var language = null;
  var scheme = null;
  try {
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
})();
