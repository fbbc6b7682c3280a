// Keeps the files of `dist/` in gzip and brotli, so that the server compresses nothing while it serves and the binary stays small;
// whoever takes neither gets the first one unpacked. What lies outside of `assets/` stays as it is, too.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const DIST = path.resolve(import.meta.dirname, "../dist");
const WORTH_IT = /\.(?:js|css|html|svg|json|txt|webmanifest)$/;
const LEAST_BYTES = 1024;

for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
  const file = path.join(DIST, name);
  if (!WORTH_IT.test(name) || name.startsWith(".") || statSync(file).size < LEAST_BYTES) {
    continue;
  }
  const bytes = readFileSync(file);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
  if (name.startsWith("assets")) {
    rmSync(file);
  }
}
