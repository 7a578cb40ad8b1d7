// Code, coloured beforehand: classes alone, which style.css colours.
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import rust from "highlight.js/lib/languages/rust";
import typescript from "highlight.js/lib/languages/typescript";

const LANGUAGES = { bash, javascript, json, rust, typescript };
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

/** `code` as HTML. What is in no language, or in "text", keeps its own colour. */
export function highlight(code: string, language: string): string {
  if (language === "" || language === "text") return escape(code);
  return hljs.highlight(code, { language }).value;
}

export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
