// Colours for rhai, the language of scripts.
import { StreamLanguage } from "@codemirror/language";

const KEYWORDS = new Set(["let", "const", "fn", "if", "else", "for", "in", "while", "loop", "do", "until", "break", "continue", "return", "throw", "try", "catch", "switch", "private", "this", "is_shared"]);
const DURABLE = new Set(["step", "sleep", "sleep_until", "wait_for", "split", "parallel", "call", "start", "emit", "ask", "now", "random", "log", "continue_as"]);

/** The durable functions, for completion. */
export const DURABLE_FUNCTIONS: readonly (readonly [name: string, form: string])[] = [
  ["step", "step(id, node, #{ })"], ["sleep", 'sleep("1d")'], ["sleep_until", "sleep_until(time)"], ["wait_for", 'wait_for("message.received", #{ contact_id: contact.id }, "20h")'],
  ["split", 'split("id", #{ a: 50, b: 50 })'], ["parallel", "parallel([|| { }, || { }])"], ["call", 'call("workflow", #{ })'], ["start", 'start("workflow", #{ })'],
  ["emit", 'emit("type", #{ })'], ["ask", "ask(#{ })"], ["now", "now()"], ["random", "random()"], ["log", 'log("text")'], ["continue_as", "continue_as(#{ })"],
];

interface State {
  comment: boolean;
  quote: string | null;
}

export const rhai = StreamLanguage.define<State>({
  name: "rhai",
  startState: () => ({ comment: false, quote: null }),
  token(stream, state) {
    if (state.comment) {
      state.comment = !stream.match(/^.*?\*\//);
      if (state.comment) stream.skipToEnd();
      return "comment";
    }
    if (state.quote !== null) {
      while (!stream.eol()) {
        const sign = stream.next();
        if (sign === "\\") stream.next();
        else if (sign === state.quote) {
          state.quote = null;
          break;
        }
      }
      if (state.quote === '"') state.quote = null;
      return "string";
    }
    if (stream.eatSpace()) return null;
    if (stream.match("//!")) {
      stream.skipToEnd();
      return "meta";
    }
    if (stream.match("//")) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match("/*")) {
      state.comment = true;
      return "comment";
    }
    const quote = stream.match(/^["`]/);
    if (quote) {
      state.quote = stream.current();
      return "string";
    }
    if (stream.match(/^\d[\d_]*(\.\d+)?/)) return "number";
    if (stream.match(/^[A-Za-z_]\w*/)) {
      const word = stream.current();
      if (KEYWORDS.has(word)) return "keyword";
      if (word === "true" || word === "false") return "bool";
      return DURABLE.has(word) ? "variableName.function" : "variableName";
    }
    stream.next();
    return "operator";
  },
  languageData: { commentTokens: { line: "//", block: { open: "/*", close: "*/" } } },
});
