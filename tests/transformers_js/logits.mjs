// Logits of Transformers.js: node logits.mjs PACKAGES MODELS NAME DTYPE, requests as JSON lines on standard input.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [packages, models, name, dtype] = process.argv.slice(2);
const main = createRequire(`${packages}/`).resolve("@huggingface/transformers");
const { AutoConfig, AutoTokenizer, env, ...heads } = await import(pathToFileURL(main.replace(/\.cjs$/, ".mjs")));

env.allowRemoteModels = false;
env.localModelPath = models;
const config = await AutoConfig.from_pretrained(name);
const tokenizer = await AutoTokenizer.from_pretrained(name);
const model = await heads[config.architectures[0]].from_pretrained(name, dtype === "default" ? {} : { dtype });

for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const [text, text_pair] = JSON.parse(line);
  const inputs = await tokenizer(text, { text_pair });
  const outputs = await model(inputs);
  const logits = outputs.logits ? [outputs.logits] : [outputs.start_logits, outputs.end_logits];
  console.log(JSON.stringify({ ids: inputs.input_ids.tolist()[0].map(Number), logits: logits.map((one) => one.tolist()[0]) }));
}
